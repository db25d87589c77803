#include "storage/rocksdb/taken_out_note.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string_view>

#include "storage/rocksdb/to_status.h"

namespace starling::storage {
namespace {

// The first line says what; then a line for each table to strike.
constexpr std::string_view kStrike = "strike ";

std::string PathIn(const std::string& directory) {
  return fmt::format("{}/{}", directory, kNoteName);
}

}  // namespace

base::Result<TakenOutNote> ReadNote(rocksdb::Env& files, const std::string& directory) {
  const std::string path = PathIn(directory);
  TakenOutNote note;
  if (files.FileExists(path).IsNotFound()) return note;
  std::string text;
  RETURN_IF_ERROR(ToStatus(rocksdb::ReadFileToString(&files, path, &text),
                           "reading which tables were damaged"));
  std::string_view rest = text;
  const auto line = [&rest] {
    const std::string_view next = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(next.size() + 1, rest.size()));
    return next;
  };
  note.what = line();
  while (!rest.empty()) {
    const std::string_view next = line();
    std::uint64_t number = 0;
    const char* const end = next.data() + next.size();
    const char* const from = next.data() + std::min(kStrike.size(), next.size());
    const auto parsed = std::from_chars(from, end, number);
    if (!next.starts_with(kStrike) || parsed.ec != std::errc() || parsed.ptr != end)
      return base::Fail(base::Corruption(path + " names no tables"));
    note.strike.push_back(number);
  }
  return note;
}

base::Status WriteNote(rocksdb::Env& files, const std::string& directory,
                       const TakenOutNote& note) {
  std::string text = note.what;
  std::replace(text.begin(), text.end(), '\n', ' ');
  text += '\n';
  for (const std::uint64_t number : note.strike) text += fmt::format("{}{}\n", kStrike, number);
  const std::string path = PathIn(directory);
  const std::string unfinished = path + ".part";
  rocksdb::Status status = rocksdb::WriteStringToFile(&files, text, unfinished, true);
  if (status.ok()) status = files.RenameFile(unfinished, path);
  std::unique_ptr<rocksdb::Directory> folder;
  if (status.ok()) status = files.NewDirectory(directory, &folder);
  if (status.ok()) status = folder->Fsync();
  return ToStatus(status, fmt::format("noting in {} which tables are damaged", directory));
}

}  // namespace starling::storage
