// storage/rocksdb/open_database.h: opens a RocksDB database to write to it, also on a full disk.
//
// Thread:    a free function.
// Read next: storage/rocksdb/manifest.h
#pragma once

#include <rocksdb/db.h>

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"

namespace starling::storage {

struct OpenDatabase {
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;  // Of `db`, in the order of the descriptors.
};

// Replays the logs of `directory` into tables. If there is no room for those, tables that no
// version holds are removed first: of a compaction that was under way when the process ended, say.
// Fails with FailedPrecondition where another process has it open.
base::Result<OpenDatabase> OpenToWrite(
    const rocksdb::DBOptions& database, const std::string& directory,
    const std::vector<rocksdb::ColumnFamilyDescriptor>& families);

}  // namespace starling::storage
