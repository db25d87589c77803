// storage/rocksdb/tuning.h: how RocksDB is set up, each choice with its reason.
//
// Thread:    free functions.
// Read next: storage/rocksdb/rocksdb_engine.h.
#pragma once

#include <rocksdb/db.h>

#include <vector>

#include "storage/rocksdb/rocksdb_engine.h"

namespace starling::storage {

rocksdb::DBOptions DatabaseOptions(const RocksDbOptions& options, rocksdb::Env* env);

// One a Family, in the order of its numbers, sharing one block cache.
std::vector<rocksdb::ColumnFamilyDescriptor> FamilyDescriptors(const RocksDbOptions& options);

// RocksDB's family `default`, which it insists on, comes after ours and stays empty.
inline constexpr std::size_t kDefaultFamilyAt = kFamilies;

}  // namespace starling::storage
