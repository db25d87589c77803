// storage/rocksdb/live_logs.h: which of RocksDB's logs still count.
//
// A start replays the logs from the first one on whose changes are not all in tables. Older ones
// may lie in the directory for long: what a start has replayed goes with the next start at the
// earliest. What they hold says nothing about the data, not even where it ends.
//
// Thread:    a free function; the database must not be open.
// Read next: storage/rocksdb/log_check.h
#pragma once

#include <rocksdb/db.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace starling::storage {

struct LiveLogs {
  std::uint64_t first = 0;     // By its number: all, where there is no log or no database yet.
  std::uint64_t sequence = 0;  // No change above this one is in tables.
};

// Those that opening `directory` would replay. Fails as opening does, and changes nothing on disk.
base::Result<LiveLogs> FindLiveLogs(const rocksdb::DBOptions& database,
                                    const std::string& directory,
                                    const std::vector<rocksdb::ColumnFamilyDescriptor>& families);

}  // namespace starling::storage
