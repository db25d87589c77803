// storage/rocksdb/table_check.h: is a table still what was written?
//
// Thread:    free functions; the table may be in use.
// Read next: storage/rocksdb/damaged_tables.h
#pragma once

#include <rocksdb/status.h>

#include <string>
#include <string_view>

#include "base/status.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace starling::storage {

// A read's outcome. Damage is Corruption: also what the disk does not give back.
base::Status ReadStatus(const rocksdb::Status& status, std::string_view attempted);

// Reads the whole of a table past the block cache: the checksum of each block, and if it
// `has_entries` (of Family::kData) also their form and the digests of their values. Corruption,
// naming the file and what is wrong with it; a file that is gone, or that the disk does not give
// back, is that too. Io when it could not be looked at.
base::Status CheckTableFile(rocksdb::Env& env, const std::string& path, bool has_entries);

}  // namespace starling::storage
