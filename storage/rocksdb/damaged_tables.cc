#include "storage/rocksdb/damaged_tables.h"

#include <fmt/core.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/utilities/ldb_cmd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "storage/entry.h"
#include "storage/rocksdb/log_check.h"
#include "storage/rocksdb/loose_database.h"
#include "storage/rocksdb/manifest.h"
#include "storage/rocksdb/readable_entries.h"
#include "storage/rocksdb/table_check.h"
#include "storage/rocksdb/taken_out_note.h"
#include "storage/rocksdb/to_status.h"
#include "storage/rocksdb/tuning.h"

namespace starling::storage {
namespace {

constexpr std::string_view kSalvaged = "salvaged-";  // Then the number and the family.
constexpr std::string_view kTableEnd = ".sst";
constexpr std::string_view kUnfinishedEnd = ".part";
constexpr std::string_view kDataFamily = "data";
constexpr std::string_view kMetaFamily = "meta";
constexpr std::string_view kTreeFamily = "tree";  // Its leaves are made anew from the entries.
constexpr std::size_t kNamedMax = 3;              // Of the damaged tables, in the line about them.

struct Damaged {
  std::uint64_t number = 0;
  std::string path;
  std::string family;
  std::string first, last;  // Keys, by the manifest.
  std::string why;
};

base::Result<std::vector<Damaged>> FindDamaged(const LooseDatabase& reading, const Files& files,
                                               const std::string& directory) {
  std::vector<rocksdb::LiveFileMetaData> tables;
  reading.db->GetLiveFilesMetaData(&tables);
  std::vector<Damaged> damaged;
  for (const auto& table : tables) {
    const std::string path = directory + table.name;  // Its name begins with a slash.
    const base::Status sound =
        CheckTableFile(files.env(), path, table.column_family_name == kDataFamily);
    if (sound.code() == base::Code::kCorruption)
      damaged.push_back({table.file_number, path, table.column_family_name, table.smallestkey,
                         table.largestkey, sound.message()});
    else
      RETURN_IF_ERROR(sound);
  }
  return damaged;
}

// Whether other nodes have what may be lost of the logs: they are replayed when tables are taken
// out, and no further than to where they are damaged.
base::Status CheckLogsReplaceable(const RocksDbOptions& options, const Files& files,
                                  const Irreplaceable& keep) {
  if (!keep.any()) return base::Ok();
  const rocksdb::DBOptions database = LooseOptions(options, files);
  const auto manifest = ReadManifest(database, options.directory, LooseFamilies(options));
  base::Status sound =
      manifest ? CheckLogs(files.env(), options.directory, *manifest) : manifest.error();
  if (sound.code() != base::Code::kCorruption) return sound;
  return base::FailedPrecondition(
      fmt::format("{}. And {} one replica, so no other node has what is lost of that",
                  sound.message(), keep.Have()));
}

// The same of tables.
base::Status CheckReplaceable(const std::vector<Damaged>& damaged, const Irreplaceable& keep) {
  for (const Damaged& table : damaged) {
    Irreplaceable lost;
    if (table.family == kDataFamily) lost = keep.Between(table.first, table.last);
    if (table.family == kMetaFamily) lost = keep;  // Without the topology no entry can be read.
    if (lost.any())
      return base::FailedPrecondition(
          fmt::format("{}. And {} one replica, so no other node has what that table held of it",
                      table.why, lost.Have()));
  }
  return base::Ok();
}

// Writes what is readable in the table, and current in the database, to a table of its own. Fails
// on any error that is no damage: the table must not go then.
base::Status Salvage(const LooseDatabase& reading, const Files& files, const std::string& directory,
                     const Damaged& table) {
  if (table.family == kTreeFamily) return base::Ok();
  rocksdb::ColumnFamilyHandle* const family = reading.Family(table.family);
  rocksdb::Options written(rocksdb::DBOptions(), reading.OptionsOf(table.family));
  written.env = &files.env();
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), written);
  const std::string path =
      fmt::format("{}/{}{}-{}{}", directory, kSalvaged, table.number, table.family, kTableEnd);
  const std::string unfinished = fmt::format("{}{}", path, kUnfinishedEnd);
  const std::string attempted = fmt::format("keeping what can be read of {}", table.path);
  bool any = false;
  rocksdb::Status wrote;
  base::Status read;
  const auto keep = [&](const rocksdb::Slice& key, const rocksdb::Slice& value) {
    rocksdb::PinnableSlice current;
    const rocksdb::Status got = reading.db->Get({}, family, key, &current);
    if (!got.ok() && !got.IsNotFound()) {
      const base::Status why = ReadStatus(got, attempted);
      if (why.code() == base::Code::kCorruption) return true;  // A newer one lies in damage.
      read = why;
      return false;
    }
    if (!got.ok() || current != value) return true;
    if (table.family == kDataFamily &&
        !CheckEntry({key.data(), key.size()}, {value.data(), value.size()}).ok())
      return true;
    if (!std::exchange(any, true)) wrote = writer.Open(unfinished);
    if (wrote.ok()) wrote = writer.Put(key, value);
    return wrote.ok();
  };
  RETURN_IF_ERROR(ForEachReadable(files.env(), table.path, keep));
  RETURN_IF_ERROR(read);
  if (any && wrote.ok()) wrote = writer.Finish();
  if (any && wrote.ok()) wrote = files.env().RenameFile(unfinished, path);
  return ToStatus(wrote, attempted);
}

// Strikes the table out of the manifest. RocksDB has no other way to part with one in the middle.
base::Status StrikeOut(const RocksDbOptions& options, const Files& files, std::uint64_t number) {
  const rocksdb::Options database(LooseOptions(options, files), rocksdb::ColumnFamilyOptions());
  const auto descriptors = FamilyDescriptors(options);
  const std::unique_ptr<rocksdb::LDBCommand> command(rocksdb::LDBCommand::InitFromCmdLineArgs(
      {"--db=" + options.directory, "unsafe_remove_sst_file", std::to_string(number)}, database,
      rocksdb::LDBOptions(), &descriptors));
  if (command == nullptr) return base::Io("this RocksDB cannot take a table out of a database");
  command->Run();
  rocksdb::LDBCommandExecuteResult result = command->GetExecuteState();
  if (!result.IsFailed()) return base::Ok();
  // Not Corruption: the database opened beside it, and must not be given up for this.
  return base::Io(fmt::format("taking table {} out of the database in {}: {}", number,
                              options.directory, result.ToString()));
}

bool IsSalvaged(const std::string& name) {
  return name.starts_with(kSalvaged) && name.ends_with(kTableEnd);
}

base::Result<std::vector<std::string>> NamesIn(const Files& files, const std::string& directory) {
  std::vector<std::string> names;
  RETURN_IF_ERROR(ToStatus(files.env().GetChildren(directory, &names),
                           "listing the data directory " + directory));
  return names;
}

base::Status Remove(const Files& files, const std::string& path) {
  return ToStatus(files.env().DeleteFile(path), "removing " + path);
}

// What a call left that was cut off before it struck anything.
base::Status RemoveUnfinished(const Files& files, const std::string& directory) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(files, directory));
  for (const std::string& name : names)
    if (name.starts_with(kSalvaged) || name == fmt::format("{}.part", kNoteName))
      RETURN_IF_ERROR(Remove(files, fmt::format("{}/{}", directory, name)));
  return base::Ok();
}

base::Status PutBack(const RocksDbOptions& options, const Files& files) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(files, options.directory));
  if (std::none_of(names.begin(), names.end(), IsSalvaged)) return base::Ok();
  ASSIGN_OR_RETURN(const LooseDatabase writing, OpenLoosely(options, files, Mode::kWrite));
  for (const std::string& name : names) {
    if (!IsSalvaged(name)) continue;
    const std::size_t from = name.rfind('-') + 1;
    rocksdb::ColumnFamilyHandle* const family =
        writing.Family(name.substr(from, name.size() - kTableEnd.size() - from));
    if (family == nullptr) continue;
    const std::string path = fmt::format("{}/{}", options.directory, name);
    rocksdb::IngestExternalFileOptions ingest;
    ingest.move_files = true;
    RETURN_IF_ERROR(ToStatus(writing.db->IngestExternalFile(family, {path}, ingest),
                             fmt::format("putting back what was saved in {}", path)));
    // RocksDB only warns if it stays, and put back once more it would hide what is newer then.
    if (files.env().FileExists(path).ok()) RETURN_IF_ERROR(Remove(files, path));
  }
  return base::Ok();
}

// From the moment when `note` names tables to strike. Each step may be done again: nobody has
// written to the database since.
base::Status Finish(const RocksDbOptions& options, const Files& files, TakenOutNote& note) {
  std::vector<rocksdb::LiveFileMetaData> tables;
  {
    ASSIGN_OR_RETURN(const LooseDatabase reading, OpenLoosely(options, files, Mode::kRead));
    reading.db->GetLiveFilesMetaData(&tables);
  }
  // Also what the manifest names and is not there: RocksDB removes a table that was being put back
  // when noting it failed, though the note may have come to the disk. It would put back no other.
  for (const rocksdb::LiveFileMetaData& table : tables)
    if (std::find(note.strike.begin(), note.strike.end(), table.file_number) != note.strike.end() ||
        files.env().FileExists(options.directory + table.name).IsNotFound())
      RETURN_IF_ERROR(StrikeOut(options, files, table.file_number));
  RETURN_IF_ERROR(PutBack(options, files));
  note.strike.clear();
  return WriteNote(files.env(), options.directory, note);
}

std::string Sentence(const std::vector<Damaged>& damaged) {
  std::string text =
      fmt::format("{} table{} damaged: ", damaged.size(), damaged.size() == 1 ? " is" : "s are");
  for (std::size_t i = 0; i < damaged.size() && i < kNamedMax; ++i)
    text += (i == 0 ? "" : "; ") + damaged[i].why;
  return text;
}

}  // namespace

base::Result<TakenOut> TakeOutDamagedTables(const RocksDbOptions& options,
                                            const Irreplaceable& keep) {
  const Files files(options);
  const std::string& directory = options.directory;
  ASSIGN_OR_RETURN(TakenOutNote note, ReadNote(files.env(), directory));
  if (!note.strike.empty()) RETURN_IF_ERROR(Finish(options, files, note));
  RETURN_IF_ERROR(CheckLogsReplaceable(options, files, keep));
  RETURN_IF_ERROR(RemoveUnfinished(files, directory));
  std::vector<Damaged> damaged;
  {
    ASSIGN_OR_RETURN(const LooseDatabase reading, OpenLoosely(options, files, Mode::kRead));
    ASSIGN_OR_RETURN(damaged, FindDamaged(reading, files, directory));
    if (damaged.empty()) return TakenOut{note.what, 0};
    RETURN_IF_ERROR(CheckReplaceable(damaged, keep));
    note.what += (note.what.empty() ? "" : "; ") + Sentence(damaged);
    RETURN_IF_ERROR(WriteNote(files.env(), directory, note));
    for (const Damaged& table : damaged) RETURN_IF_ERROR(Salvage(reading, files, directory, table));
  }
  // Written, it also syncs the names of what was saved.
  for (const Damaged& table : damaged) note.strike.push_back(table.number);
  RETURN_IF_ERROR(WriteNote(files.env(), directory, note));
  RETURN_IF_ERROR(Finish(options, files, note));
  return TakenOut{note.what, damaged.size()};
}

bool TookOutTables(const std::string& directory) {
  std::error_code error;
  return std::filesystem::exists(std::filesystem::path(directory) / kNoteName, error);
}

base::Status ForgetTakenOut(const std::string& directory) {
  std::error_code error;
  std::filesystem::remove(std::filesystem::path(directory) / kNoteName, error);
  return error ? base::Io(fmt::format("removing {}/{}: {}", directory, kNoteName, error.message()))
               : base::Ok();
}

}  // namespace starling::storage
