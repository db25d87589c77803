// storage/rocksdb/table_adder.h: puts sorted entries into a database as tables, past its log.
//
// Each table is written beside the database, in a folder of its own, then all are linked into it
// and noted in its MANIFEST by one record: RocksDB calls that ingestion. What a crash leaves in the
// folder is of no database, and the next start removes it.
//
// Thread:    any, several at once.
// Ownership: the database outlives it.
// Read next: storage/rocksdb/link_keeper.h, docs/storage.md
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "storage/engine.h"

namespace starling::storage {

// In the data directory.
inline constexpr std::string_view kTablesToAdd = "tables-to-add";

// Whether the file at `path` is a table that is being written, and of no database yet.
bool IsToBeAdded(const std::string& path);

class TableAdder {
 public:
  TableAdder(rocksdb::DB& db, const std::string& directory);

  // As Engine::AddTables; `tables` are sorted.
  base::Status Add(rocksdb::ColumnFamilyHandle* family,
                   std::span<const std::span<const SortedEntry>> tables);

 private:
  class Written;

  rocksdb::DB& db_;
  const std::string folder_;
  std::atomic<std::uint64_t> next_number_ = 1;
};

// Removes what a process left in `directory` that ended while it added tables, and returns how many
// there were. To be called before any is added: one that stays may be the database's too, and would
// be written over. Io. REQUIRES: no other process has the database open.
base::Result<std::size_t> RemoveTablesToAdd(rocksdb::Env& files, const std::string& directory);

}  // namespace starling::storage
