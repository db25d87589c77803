// storage/rocksdb/readable_entries.h: walks over what can be read of a damaged table.
//
// Thread:    a free function; the table must not change.
// Read next: storage/rocksdb/damaged_tables.h
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/slice.h>

#include <functional>
#include <string>

#include "base/status.h"

namespace starling::storage {

// Calls visit(key, value) in key order for each entry of the table at `path` whose block can be
// read, until it returns false. Blocks that cannot be read are passed over: where the next one
// begins is found by halving, so next to damage a few entries may be passed over with it. A table
// whose index or footer is damaged has none. Fails with Io when that could not be found out, as
// with too many open files.
base::Status ForEachReadable(
    rocksdb::Env& files, const std::string& path,
    const std::function<bool(const rocksdb::Slice&, const rocksdb::Slice&)>& visit);

}  // namespace starling::storage
