#include "storage/rocksdb/open_database.h"

#include <fmt/core.h>
#include <rocksdb/env.h>

#include <algorithm>

#include "base/log.h"
#include "storage/rocksdb/file_names.h"
#include "storage/rocksdb/manifest.h"
#include "storage/rocksdb/table_adder.h"
#include "storage/rocksdb/to_status.h"

namespace starling::storage {
namespace {

using Families = std::vector<rocksdb::ColumnFamilyDescriptor>;

// RocksDB has no code of its own for "the LOCK file is held".
bool LockIsHeld(const rocksdb::Status& status) {
  const std::string text = status.ToString();
  return status.IsIOError() && (text.find("While lock file") != std::string::npos ||
                                text.find("lock hold by current process") != std::string::npos);
}

// RocksDB 7.8 notes the tables in the directory once it is open, and a compaction that it has begun
// by then notes its own again: of a table that it counts twice it takes the size off what it holds
// reserved for compactions. The reserve is then below nothing, thus vast, and once a compaction has
// found the disk full none may find room again while the process lives. So none begins before; a
// new database has nothing to compact.
rocksdb::Status OpenQuietly(const rocksdb::DBOptions& database, const std::string& directory,
                            Families families, OpenDatabase& opened) {
  const bool is_new = database.env->FileExists(directory + "/CURRENT").IsNotFound();
  for (rocksdb::ColumnFamilyDescriptor& family : families)
    family.options.disable_auto_compactions = !is_new;
  rocksdb::DB* db = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(database, directory, families, &opened.families, &db);
  opened.db.reset(db);
  if (!status.ok() || is_new) return status;
  rocksdb::Status enabled = db->EnableAutoCompaction(opened.families);
  if (enabled.ok()) return enabled;
  // RocksDB aborts if it is closed before these have gone.
  for (rocksdb::ColumnFamilyHandle* family : opened.families)
    db->DestroyColumnFamilyHandle(family).PermitUncheckedError();  // Frees memory only.
  opened.families.clear();
  opened.db.reset();
  return enabled;
}

// Removes the tables of no version, and those that were never added; how many there were. RocksDB
// does the former too, and Open the latter, but only once a start is over.
base::Result<std::size_t> RemoveOrphans(const rocksdb::DBOptions& database,
                                        const std::string& directory, const Families& families) {
  const std::string attempted = "making room in the data directory " + directory;
  rocksdb::Env& files = *database.env;
  // Whoever has the database open makes tables that are of no version yet.
  rocksdb::FileLock* lock = nullptr;
  RETURN_IF_ERROR(ToStatus(files.LockFile(directory + "/LOCK", &lock), attempted));
  std::size_t removed = 0;
  const auto remove = [&]() -> base::Status {
    ASSIGN_OR_RETURN(const Manifest manifest, ReadManifest(database, directory, families));
    std::vector<std::string> names;
    RETURN_IF_ERROR(ToStatus(files.GetChildren(directory, &names), attempted));
    for (const std::string& name : names) {
      if (!IsNumbered(name, ".sst")) continue;
      if (std::ranges::find(manifest.tables, name) != manifest.tables.end()) continue;
      RETURN_IF_ERROR(ToStatus(files.DeleteFile(fmt::format("{}/{}", directory, name)), attempted));
      base::log::Info("storage", "removed {}/{}, which was never finished", directory, name);
      ++removed;
    }
    ASSIGN_OR_RETURN(const std::size_t never_added, RemoveTablesToAdd(files, directory));
    removed += never_added;
    return base::Ok();
  };
  const base::Status status = remove();
  RETURN_IF_ERROR(ToStatus(files.UnlockFile(lock), attempted));
  RETURN_IF_ERROR(status);
  return removed;
}

}  // namespace

base::Result<OpenDatabase> OpenToWrite(const rocksdb::DBOptions& database,
                                       const std::string& directory, const Families& families) {
  OpenDatabase opened;
  rocksdb::Status status = OpenQuietly(database, directory, families, opened);
  if (status.IsNoSpace()) {
    ASSIGN_OR_RETURN(const std::size_t removed, RemoveOrphans(database, directory, families));
    if (removed > 0) status = OpenQuietly(database, directory, families, opened);
  }
  if (LockIsHeld(status)) return base::Fail(base::FailedPrecondition("in use by another process"));
  RETURN_IF_ERROR(ToOpenStatus(status, fmt::format("opening the data directory {}", directory)));
  return opened;
}

}  // namespace starling::storage
