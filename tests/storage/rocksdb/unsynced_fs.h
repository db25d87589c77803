// tests/storage/rocksdb/unsynced_fs.h: a file system that forgets what was not synced, or fails.
//
// It writes through to the machine's and remembers, for each file, how many bytes were synced, and
// for each new name or rename whether its directory was. SaveSurvivors() writes down what a power
// loss at that moment may leave: files cut somewhere between their synced and their written length,
// unsynced names gone, unsynced renames undone. Logs are cut as if written back in the order of
// their numbers, since RocksDB itself syncs a log soon after it was closed; deletions are durable
// at once, the harsher choice. Sync() does not sync the machine's disk: the tests need no more than
// the bookkeeping.
//
// Thread:    any; one mutex. SaveSurvivors() may be called while a database is at work.
// Ownership: the test keeps one over the lives of several databases.
#pragma once

#include <rocksdb/file_system.h>

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"

namespace starling::storage {

class UnsyncedFs final : public rocksdb::FileSystemWrapper {
 public:
  enum class Failing { kOnce, kFromThenOn };
  enum class Cause { kBroken, kFull };  // The error that it fails with: RocksDB treats them apart.

  UnsyncedFs();

  // Copies what would be left of the files of `directory` to the empty directory `to`.
  void SaveSurvivors(const std::string& directory, const std::string& to, base::Random& random);

  // The nth write, sync, creation, link or rename from now on fails, n = 1 being the next.
  void FailAt(std::uint64_t n, Failing failing, Cause cause = Cause::kBroken);
  void StopFailing();
  // While it is full no table can be begun or grow, as when there is room for a log alone.
  void SetFull(bool full);
  void SetFullUntilDeleted(const std::string& path);
  // What it says is free; else the machine's.
  void SetFreeBytes(std::uint64_t bytes);
  // Listings of the caller's thread wait a while for another thread to begin a table.
  void ListAfterOthers();
  bool has_failed() const { return !failed_path().empty(); }  // Since FailAt.
  std::string failed_path() const;                            // Of the file that failed last.

  const char* Name() const override { return "UnsyncedFs"; }
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFreeSpace(const std::string& path, const rocksdb::IOOptions& options,
                                 std::uint64_t* free, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildren(const std::string& directory, const rocksdb::IOOptions& options,
                                std::vector<std::string>* names,
                                rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* directory,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  // What is at either name counts as synced by itself: a sync through the other does not.
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

 private:
  class File;
  class Directory;

  struct Tracked {
    std::uint64_t written = 0;
    std::uint64_t synced = 0;
    bool name_synced = false;
  };
  // A rename whose directory was not synced yet.
  struct Rename {
    std::string from, to;
    std::optional<std::string> replaced;  // What `to` held before.
  };

  rocksdb::IOStatus MayFail(const std::string& path);  // Counts one I/O.
  void OnAppend(const std::string& path, std::uint64_t size);
  void OnSync(const std::string& path);
  void OnDirectorySync(const std::string& directory);
  // The bytes of each file that survive, by path, before renames are undone.
  std::map<std::string, std::string> CutFiles(const std::string& directory,
                                              base::Random& random) const;

  mutable std::mutex mutex_;
  std::map<std::string, Tracked> files_;
  std::vector<Rename> renames_;
  std::uint64_t until_failure_ = 0;  // 0: no failure is planned.
  Failing failing_ = Failing::kOnce;
  Cause cause_ = Cause::kBroken;
  bool full_ = false;
  std::string full_until_deleted_;  // Empty: until somebody says so.
  std::optional<std::uint64_t> free_bytes_;
  std::string failed_path_;
  std::optional<std::thread::id> lists_last_;
  bool others_began_ = false;  // A table, since lists_last_ was set.
  std::condition_variable began_;
};

}  // namespace starling::storage
