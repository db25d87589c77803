// storage/rocksdb/link_keeper.h: keeps a table that MANIFEST may name although noting it failed.
//
// RocksDB 7.8 removes the tables of an ingestion that it could not note in MANIFEST. But the note
// may have come to the disk, as when only its sync failed: the next start then misses tables, which
// is a loss. So these stay, and a start removes what no version has.
//
// Thread:    any.
// Ownership: it shares the file system that it stands before.
// Read next: storage/rocksdb/table_adder.h
#pragma once

#include <rocksdb/file_system.h>
#include <rocksdb/listener.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace starling::storage {

class LinkKeeper final : public rocksdb::FileSystemWrapper {
 public:
  explicit LinkKeeper(const std::shared_ptr<rocksdb::FileSystem>& files);

  // For DBOptions::listeners: without it no failure of MANIFEST is known.
  std::shared_ptr<rocksdb::EventListener> listener() const;

  const char* Name() const override { return "LinkKeeper"; }
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

 private:
  class Manifest;

  bool IsInDoubt(const std::string& path);

  const std::shared_ptr<Manifest> manifest_;

  std::mutex mutex_;
  // Of each table that is being added, its names outside of the database and in it.
  std::map<std::string, std::string> links_;
};

}  // namespace starling::storage
