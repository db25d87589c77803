#include "storage/rocksdb/damaged_tables.h"

#include <fmt/core.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/utilities/ldb_cmd.h>

#include <filesystem>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "storage/entry.h"
#include "storage/rocksdb/readable_entries.h"
#include "storage/rocksdb/table_check.h"
#include "storage/rocksdb/to_status.h"
#include "storage/rocksdb/tuning.h"

namespace starling::storage {
namespace {

constexpr std::string_view kNote = "tables-taken-out";
constexpr std::string_view kSalvaged = "salvaged-";  // Then the number and the family.
constexpr std::string_view kTableEnd = ".sst";
constexpr std::string_view kUnfinishedEnd = ".part";
constexpr std::string_view kDataName = "data";
constexpr std::string_view kTreeName = "tree";  // Its leaves are made anew from the entries.
constexpr std::size_t kNamedMax = 3;            // Of the damaged tables, in the line about them.

struct Damaged {
  std::uint64_t number = 0;
  std::string path;
  std::string family;
  std::string why;
};

// The database, opened to be read, damaged or not.
struct Reading {
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  std::unique_ptr<rocksdb::DB> db;

  ~Reading() {
    for (rocksdb::ColumnFamilyHandle* family : families)
      db->DestroyColumnFamilyHandle(family).PermitUncheckedError();  // Frees memory only.
  }
  rocksdb::ColumnFamilyHandle* Family(const std::string& name) const {
    for (rocksdb::ColumnFamilyHandle* family : families)
      if (family->GetName() == name) return family;
    return nullptr;
  }
  rocksdb::ColumnFamilyOptions OptionsOf(const std::string& name) const {
    for (const auto& descriptor : descriptors)
      if (descriptor.name == name) return descriptor.options;
    return {};
  }
};

enum class Mode : std::uint8_t { kRead, kWrite };

rocksdb::DBOptions LooseOptions(const RocksDbOptions& options) {
  rocksdb::DBOptions database = DatabaseOptions(options, rocksdb::Env::Default());
  database.create_if_missing = false;
  database.create_missing_column_families = false;
  database.paranoid_checks = false;  // Opens beside tables that cannot be opened.
  return database;
}

base::Status OpenLoosely(const RocksDbOptions& options, Mode mode, Reading& reading) {
  reading.descriptors = FamilyDescriptors(options);
  for (auto& descriptor : reading.descriptors)
    descriptor.options.disable_auto_compactions = true;  // They would meet the damage.
  const rocksdb::DBOptions database = LooseOptions(options);
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status =
      mode == Mode::kRead
          ? rocksdb::DB::OpenForReadOnly(database, options.directory, reading.descriptors,
                                         &reading.families, &opened)
          : rocksdb::DB::Open(database, options.directory, reading.descriptors, &reading.families,
                              &opened);
  reading.db.reset(opened);
  return ToOpenStatus(status,
                      fmt::format("opening {} beside its damaged tables", options.directory));
}

base::Result<std::vector<Damaged>> FindDamaged(const Reading& reading,
                                               const std::string& directory) {
  std::vector<rocksdb::LiveFileMetaData> tables;
  reading.db->GetLiveFilesMetaData(&tables);
  std::vector<Damaged> damaged;
  for (const auto& table : tables) {
    const std::string path = directory + table.name;  // Its name begins with a slash.
    const base::Status sound =
        CheckTableFile(*rocksdb::Env::Default(), path, table.column_family_name == kDataName);
    if (sound.code() == base::Code::kCorruption)
      damaged.push_back({table.file_number, path, table.column_family_name, sound.message()});
    else
      RETURN_IF_ERROR(sound);
  }
  return damaged;
}

std::string SalvagePath(const std::string& directory, const Damaged& table) {
  return fmt::format("{}/{}{}-{}{}", directory, kSalvaged, table.number, table.family, kTableEnd);
}

// Writes what is readable in the table, and current in the database, to a table of its own. Fails
// on any error that is no damage: the table must not go then.
base::Status Salvage(const Reading& reading, const std::string& directory, const Damaged& table) {
  if (table.family == kTreeName) return base::Ok();
  rocksdb::ColumnFamilyHandle* const family = reading.Family(table.family);
  rocksdb::SstFileWriter writer(
      rocksdb::EnvOptions(),
      rocksdb::Options(rocksdb::DBOptions(), reading.OptionsOf(table.family)));
  const std::string path = SalvagePath(directory, table);
  const std::string unfinished = fmt::format("{}{}", path, kUnfinishedEnd);
  const std::string attempted = fmt::format("keeping what can be read of {}", table.path);
  bool any = false;
  rocksdb::Status wrote;
  base::Status read;
  const auto keep = [&](const rocksdb::Slice& key, const rocksdb::Slice& value) {
    rocksdb::PinnableSlice current;
    const rocksdb::Status got = reading.db->Get({}, family, key, &current);
    if (!got.ok() && !got.IsNotFound()) {
      read = ReadStatus(got, attempted);
      return read.code() == base::Code::kCorruption;  // What is newer lies in a damaged block.
    }
    if (!got.ok() || current != value) return true;
    if (table.family == kDataName && !DecodeSoundEntry({value.data(), value.size()})) return true;
    if (!std::exchange(any, true)) wrote = writer.Open(unfinished);
    if (wrote.ok()) wrote = writer.Put(key, value);
    return wrote.ok();
  };
  RETURN_IF_ERROR(ForEachReadable(table.path, keep));
  if (!read.ok() && read.code() != base::Code::kCorruption) return read;
  if (any && wrote.ok()) wrote = writer.Finish();
  if (any && wrote.ok()) wrote = rocksdb::Env::Default()->RenameFile(unfinished, path);
  return ToStatus(wrote, attempted);
}

// Strikes the table out of the manifest. RocksDB has no other way to part with one in the middle.
base::Status StrikeOut(const RocksDbOptions& options, const Damaged& table) {
  rocksdb::Options database(LooseOptions(options), rocksdb::ColumnFamilyOptions());
  const auto descriptors = FamilyDescriptors(options);
  const std::unique_ptr<rocksdb::LDBCommand> command(rocksdb::LDBCommand::InitFromCmdLineArgs(
      {"--db=" + options.directory, "unsafe_remove_sst_file", std::to_string(table.number)},
      database, rocksdb::LDBOptions(), &descriptors));
  if (command == nullptr) return base::Io("this RocksDB cannot take a table out of a database");
  command->Run();
  rocksdb::LDBCommandExecuteResult result = command->GetExecuteState();
  if (!result.IsFailed()) return base::Ok();
  // Not Corruption: the database opened beside it, and must not be given up for this.
  return base::Io(fmt::format("taking {} out of the database: {}", table.path, result.ToString()));
}

// What Salvage made, by its path: the family it belongs to.
std::map<std::string, std::string> Salvaged(const std::string& directory) {
  std::map<std::string, std::string> found;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(kSalvaged) || !name.ends_with(kTableEnd)) continue;
    const std::size_t from = name.rfind('-') + 1;
    found[at->path().string()] = name.substr(from, name.size() - kTableEnd.size() - from);
  }
  return found;
}

base::Status Remove(const std::string& path) {
  std::error_code error;
  std::filesystem::remove(path, error);
  return error ? base::Io(fmt::format("removing {}: {}", path, error.message())) : base::Ok();
}

// Of calls that were cut off.
base::Status RemoveUnfinished(const std::string& directory) {
  std::vector<std::string> unfinished;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with(kSalvaged) && name.ends_with(kUnfinishedEnd))
      unfinished.push_back(at->path().string());
  }
  for (const std::string& path : unfinished) RETURN_IF_ERROR(Remove(path));
  return base::Ok();
}

base::Status PutBack(const RocksDbOptions& options) {
  const auto salvaged = Salvaged(options.directory);
  if (salvaged.empty()) return base::Ok();
  Reading writing;
  RETURN_IF_ERROR(OpenLoosely(options, Mode::kWrite, writing));
  for (const auto& [path, name] : salvaged) {
    rocksdb::ColumnFamilyHandle* const family = writing.Family(name);
    if (family == nullptr) continue;
    rocksdb::IngestExternalFileOptions ingest;
    ingest.move_files = true;
    RETURN_IF_ERROR(ToStatus(writing.db->IngestExternalFile(family, {path}, ingest),
                             fmt::format("putting back what was saved in {}", path)));
    // RocksDB only warns if it stays, and put back once more it would hide what is newer then.
    RETURN_IF_ERROR(Remove(path));
  }
  return base::Ok();
}

std::filesystem::path NotePath(const std::string& directory) {
  return std::filesystem::path(directory) / kNote;
}

// Synced, and its name too: what follows cannot be undone.
base::Status WriteNote(const std::string& directory, const std::string& what) {
  rocksdb::Env& env = *rocksdb::Env::Default();
  rocksdb::Status status =
      rocksdb::WriteStringToFile(&env, what, NotePath(directory).string(), true);
  std::unique_ptr<rocksdb::Directory> folder;
  if (status.ok()) status = env.NewDirectory(directory, &folder);
  if (status.ok()) status = folder->Fsync();
  return ToStatus(status, fmt::format("noting in {} which tables are damaged", directory));
}

std::string Sentence(const std::vector<Damaged>& damaged) {
  std::string text =
      fmt::format("{} table{} damaged: ", damaged.size(), damaged.size() == 1 ? " is" : "s are");
  for (std::size_t i = 0; i < damaged.size() && i < kNamedMax; ++i)
    text += (i == 0 ? "" : "; ") + damaged[i].why;
  return text;
}

}  // namespace

base::Result<TakenOut> TakeOutDamagedTables(const RocksDbOptions& options) {
  std::string note;
  if (TookOutTables(options.directory))
    RETURN_IF_ERROR(ToStatus(rocksdb::ReadFileToString(rocksdb::Env::Default(),
                                                       NotePath(options.directory).string(), &note),
                             "reading which tables were damaged"));
  RETURN_IF_ERROR(RemoveUnfinished(options.directory));
  std::vector<Damaged> damaged;
  {
    Reading reading;
    RETURN_IF_ERROR(OpenLoosely(options, Mode::kRead, reading));
    ASSIGN_OR_RETURN(damaged, FindDamaged(reading, options.directory));
    if (damaged.empty() && note.empty()) return TakenOut{};
    if (!damaged.empty()) {
      note = note.empty() ? Sentence(damaged) : note + "; " + Sentence(damaged);
      RETURN_IF_ERROR(WriteNote(options.directory, note));
    }
    for (const Damaged& table : damaged)
      RETURN_IF_ERROR(Salvage(reading, options.directory, table));
  }
  for (const Damaged& table : damaged) RETURN_IF_ERROR(StrikeOut(options, table));
  RETURN_IF_ERROR(PutBack(options));
  return TakenOut{note, damaged.size()};
}

bool TookOutTables(const std::string& directory) {
  std::error_code error;
  return std::filesystem::exists(NotePath(directory), error);
}

base::Status ForgetTakenOut(const std::string& directory) {
  return Remove(NotePath(directory).string());
}

}  // namespace starling::storage
