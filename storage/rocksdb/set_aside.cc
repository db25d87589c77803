#include "storage/rocksdb/set_aside.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <vector>

namespace starling::storage {
namespace {

namespace fs = std::filesystem;

bool IsRocksDbs(std::string_view name) {
  constexpr std::array<std::string_view, 5> kBeginnings{"CURRENT", "MANIFEST-", "OPTIONS-", "LOG",
                                                        "IDENTITY"};
  constexpr std::array<std::string_view, 4> kEndings{".sst", ".log", ".blob", ".dbtmp"};
  return std::any_of(kBeginnings.begin(), kBeginnings.end(),
                     [name](std::string_view each) { return name.starts_with(each); }) ||
         std::any_of(kEndings.begin(), kEndings.end(),
                     [name](std::string_view each) { return name.ends_with(each); });
}

}  // namespace

base::Result<std::string> SetAside(const std::string& directory) {
  const auto failed = [&](std::string_view what, const std::error_code& error) {
    return base::Fail(base::Io(fmt::format("cannot {}: {}", what, error.message())));
  };
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error))
    if (IsRocksDbs(at->path().filename().string())) files.push_back(at->path());
  if (error) return failed("list " + directory, error);
  fs::path aside;
  for (int number = 1;; ++number) {
    aside = fs::path(directory) / fmt::format("damaged-{}", number);
    if (!fs::exists(aside, error)) break;
  }
  if (!fs::create_directory(aside, error)) return failed("make " + aside.string(), error);
  // CURRENT goes first: without it the rest is no database, wherever this is cut off.
  std::stable_sort(files.begin(), files.end(), [](const fs::path& a, const fs::path& b) {
    return (a.filename() == "CURRENT") > (b.filename() == "CURRENT");
  });
  for (const fs::path& file : files) {
    fs::rename(file, aside / file.filename(), error);
    if (error) return failed("move " + file.string(), error);
  }
  return aside.string();
}

}  // namespace starling::storage
