// storage/rocksdb/set_aside.h: makes room for a new database where a damaged one lies.
//
// Thread:    a free function; the database must not be open.
#pragma once

#include <string>

#include "base/status.h"

namespace starling::storage {

// Moves RocksDB's own files in `directory` into a new folder in it, damaged-1 or the next that is
// free, and returns its path. Everything else stays. Fails with Io.
base::Result<std::string> SetAside(const std::string& directory);

}  // namespace starling::storage
