// storage/rocksdb/to_status.h: RocksDB's outcomes as ours, with what an operator can do.
//
// Thread: free functions.
#pragma once

#include <rocksdb/status.h>

#include <string_view>

#include "base/status.h"

namespace starling::storage {

// `attempted` says what was tried, on what.
base::Status ToStatus(const rocksdb::Status& status, std::string_view attempted);

}  // namespace starling::storage
