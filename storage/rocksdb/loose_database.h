// storage/rocksdb/loose_database.h: a database opened beside what is damaged in it.
//
// Thread:    confined to one; no other may have the directory open to write.
// Read next: storage/rocksdb/damaged_tables.h
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "storage/rocksdb/rocksdb_engine.h"

namespace starling::storage {

// The file system that `options` names, held while it is used.
class Files {
 public:
  explicit Files(const RocksDbOptions& options);

  rocksdb::Env& env() const { return own_ ? *own_ : *rocksdb::Env::Default(); }

 private:
  std::unique_ptr<rocksdb::Env> own_;  // Null: the machine's.
};

// Of a database that opens beside tables which cannot be opened.
rocksdb::DBOptions LooseOptions(const RocksDbOptions& options, const Files& files);
// Without compactions, which would meet the damage.
std::vector<rocksdb::ColumnFamilyDescriptor> LooseFamilies(const RocksDbOptions& options);

// Closed when it goes.
struct LooseDatabase {
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  std::unique_ptr<rocksdb::DB> db;

  LooseDatabase() = default;
  LooseDatabase(LooseDatabase&&) = default;
  LooseDatabase& operator=(LooseDatabase&&) = delete;
  ~LooseDatabase();

  rocksdb::ColumnFamilyHandle* Family(const std::string& name) const;  // Null: there is none.
  rocksdb::ColumnFamilyOptions OptionsOf(const std::string& name) const;
};

enum class Mode : std::uint8_t { kRead, kWrite };

// With kRead nothing on disk is changed; with kWrite the logs are replayed into tables. Fails with
// Corruption when more than tables is damaged, and Io.
base::Result<LooseDatabase> OpenLoosely(const RocksDbOptions& options, const Files& files,
                                        Mode mode);

}  // namespace starling::storage
