// storage/rocksdb/manifest.h: which of RocksDB's files in a directory still count.
//
// A start replays the logs from the first one on whose changes are not all in tables. Older ones
// may lie in the directory for long: what a start has replayed goes with the next start at the
// earliest. What they hold says nothing about the data, not even where it ends. And a table that
// was being made when the process ended is of no version, but takes its room until the next start
// is over.
//
// Thread:    a free function; the database must not be open.
// Read next: storage/rocksdb/log_check.h, storage/rocksdb/open_database.h
#pragma once

#include <rocksdb/db.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace starling::storage {

struct Manifest {
  // The first log that opening the directory would replay: 0, thus any, where there is none.
  std::uint64_t first_log = 0;
  std::uint64_t sequence = 0;       // No change above this one is in tables.
  std::vector<std::string> tables;  // Their names in the directory.
};

// Empty where there is no database yet. Fails as opening does, and changes nothing on disk.
base::Result<Manifest> ReadManifest(const rocksdb::DBOptions& database,
                                    const std::string& directory,
                                    const std::vector<rocksdb::ColumnFamilyDescriptor>& families);

}  // namespace starling::storage
