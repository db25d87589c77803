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
// The same of an attempt to open a database: where a file is missing, that is Corruption too.
base::Status ToOpenStatus(const rocksdb::Status& status, std::string_view attempted);

}  // namespace starling::storage
