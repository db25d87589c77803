#include "storage/rocksdb/rocksdb_engine.h"

#include <fmt/core.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <filesystem>
#include <utility>
#include <vector>

#include "base/check.h"
#include "storage/rocksdb/file_names.h"
#include "storage/rocksdb/link_keeper.h"
#include "storage/rocksdb/log_check.h"
#include "storage/rocksdb/manifest.h"
#include "storage/rocksdb/open_database.h"
#include "storage/rocksdb/open_engine.h"
#include "storage/rocksdb/room_keeper.h"
#include "storage/rocksdb/table_adder.h"
#include "storage/rocksdb/to_status.h"
#include "storage/rocksdb/tuning.h"

namespace starling::storage {
namespace {

std::shared_ptr<rocksdb::FileSystem> FilesOf(const RocksDbOptions& options) {
  return options.file_system ? options.file_system : rocksdb::FileSystem::Default();
}

std::unique_ptr<Engine> Hold(const RocksDbOptions& options, Access access,
                             std::unique_ptr<rocksdb::Env> env, const rocksdb::DBOptions& database,
                             OpenDatabase opened) {
  CHECK(opened.families.size() == kDefaultFamilyAt + 1);
  // The handle of `default` is RocksDB's price of admission; nothing uses it.
  opened.db->DestroyColumnFamilyHandle(opened.families.back()).PermitUncheckedError();
  opened.families.pop_back();
  return std::make_unique<OpenEngine>(options, access, std::move(env), database.statistics,
                                      std::move(opened.db), std::move(opened.families));
}

// A new one is its owner's, readable by the group: what users stored is not for everybody.
base::Status MakeDirectory(const std::string& directory) {
  using std::filesystem::perms;
  std::error_code error;
  if (std::filesystem::is_directory(directory, error)) return base::Ok();
  std::filesystem::create_directories(directory, error);
  if (!error)
    std::filesystem::permissions(directory,
                                 perms::owner_all | perms::group_read | perms::group_exec, error);
  if (!error) return base::Ok();
  return base::Io(fmt::format("making the data directory {}: {}", directory, error.message()));
}

// Without CURRENT RocksDB would begin an empty database, and delete the tables that lie there. A
// log is made after CURRENT, so a first start that was cut off has none.
base::Status CheckCurrent(rocksdb::Env& files, const std::string& directory) {
  if (!files.FileExists(directory + "/CURRENT").IsNotFound()) return base::Ok();
  std::vector<std::string> names;
  if (const auto listed = files.GetChildren(directory, &names); !listed.ok())
    return ToStatus(listed, "listing the data directory " + directory);
  for (const std::string& name : names)
    if (IsNumbered(name, ".sst") || IsNumbered(name, ".log"))
      return base::Corruption(
          fmt::format("{}/CURRENT is missing, and {} is there", directory, name));
  return base::Ok();
}

}  // namespace

base::Result<std::unique_ptr<Engine>> RocksDbEngine::Open(const RocksDbOptions& options) {
  RETURN_IF_ERROR(MakeDirectory(options.directory));
  const auto keeper = std::make_shared<RoomKeeper>(FilesOf(options), options.keep_free_bytes);
  const auto links = std::make_shared<LinkKeeper>(keeper);
  std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(links);
  RETURN_IF_ERROR(CheckCurrent(*env, options.directory));
  rocksdb::DBOptions database = DatabaseOptions(options, env.get());
  database.listeners = {keeper->listener(), links->listener()};
  const std::vector<rocksdb::ColumnFamilyDescriptor> descriptors = FamilyDescriptors(options);
  if (!options.keep_sound_part) {
    ASSIGN_OR_RETURN(const Manifest manifest,
                     ReadManifest(database, options.directory, descriptors));
    RETURN_IF_ERROR(CheckLogs(*env, options.directory, manifest));
  }
  ASSIGN_OR_RETURN(OpenDatabase opened, OpenToWrite(database, options.directory, descriptors));
  rocksdb::Env& files = *env;
  auto engine = Hold(options, Access::kWrite, std::move(env), database, std::move(opened));
  if (const auto removed = RemoveTablesToAdd(files, options.directory); !removed)
    return base::Fail(removed.error());
  return engine;
}

base::Result<std::unique_ptr<Engine>> RocksDbEngine::OpenToRead(const RocksDbOptions& options) {
  std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(FilesOf(options));
  rocksdb::DBOptions database = DatabaseOptions(options, env.get());
  database.create_if_missing = false;
  database.create_missing_column_families = false;
  if (database.env->FileExists(options.directory + "/CURRENT").IsNotFound())
    return base::Fail(base::NotFound(fmt::format(
        "{} is no directory of a node's data: it has no file CURRENT", options.directory)));
  OpenDatabase opened;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(
      database, options.directory, FamilyDescriptors(options), &opened.families, &db);
  opened.db.reset(db);
  RETURN_IF_ERROR(ToStatus(status, fmt::format("opening {} to read it", options.directory)));
  return Hold(options, Access::kRead, std::move(env), database, std::move(opened));
}

}  // namespace starling::storage
