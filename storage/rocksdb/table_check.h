// storage/rocksdb/table_check.h: is a table still what was written?
//
// Thread:    free functions; the table may be in use.
// Read next: storage/rocksdb/damaged_tables.h
#pragma once

#include <rocksdb/status.h>

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/status.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace starling::storage {

// A read's outcome. Damage is Corruption: also what the disk does not give back.
base::Status ReadStatus(const rocksdb::Status& status, std::string_view attempted);

// Whether key and value of Family::kData are what was stored: both can be decoded, and the value
// fits its digest. Else Corruption.
base::Status CheckEntry(base::Bytes key, base::Bytes value);

// Reads the whole of a table past the block cache: the checksum of each block, what a block holds,
// the order of the keys, and if it `has_entries` (of Family::kData) also these. Corruption, naming
// the file and what is wrong with it; a file that is gone, or that the disk does not give back, is
// that too. Io when it could not be looked at.
base::Status CheckTableFile(rocksdb::Env& env, const std::string& path, bool has_entries);

}  // namespace starling::storage
