// benchmarks/tree/rocks_store.h: RocksDB as the engine sets it up, but for what a benchmark
// changes.
//
// Read next: storage/rocksdb/tuning.h
#pragma once

#include <rocksdb/db.h>

#include <functional>
#include <memory>
#include <vector>

#include "benchmarks/tree/store.h"

namespace starling::benchmarks {

struct RocksSetup {
  rocksdb::DBOptions database;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
};

struct RocksStoreOptions {
  StoreOptions store;
  // Leaves of the tree go into the log and into no memtable. What recovery would need besides is
  // not there: a pin on the log, a filter that replays it, a count that shows gaps.
  bool leaves_are_log_data = false;
  std::function<void(RocksSetup&)> change{};
};

class RocksStore final : public Store {
 public:
  static base::Result<std::unique_ptr<RocksStore>> Open(const RocksStoreOptions& options);
  ~RocksStore() override;

  void Get(std::span<const base::Bytes> keys, storage::Tier tier, LookedUp& into) override;
  base::Status Write(const storage::Batch& batch, storage::Sync sync) override;
  base::Status Flush() override;
  bool Idle() const override;

  rocksdb::DB& db() { return *db_; }
  rocksdb::ColumnFamilyHandle* family(storage::Family family) {
    return families_[static_cast<std::size_t>(family)];
  }

 private:
  RocksStore(bool leaves_are_log_data, rocksdb::DB* db,
             std::vector<rocksdb::ColumnFamilyHandle*> families);

  const bool leaves_are_log_data_;
  const std::unique_ptr<rocksdb::DB> db_;
  const std::vector<rocksdb::ColumnFamilyHandle*> families_;
  rocksdb::WriteBatch merged_;
  std::string leaves_;
  std::vector<rocksdb::PinnableSlice> values_;
};

}  // namespace starling::benchmarks
