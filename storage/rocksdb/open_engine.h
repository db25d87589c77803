// storage/rocksdb/open_engine.h: a storage::Engine over a RocksDB database that is open.
//
// Thread:    as storage/engine.h says. RocksDB runs its own background threads.
// Ownership: of the database, which it closes.
// Read next: storage/rocksdb/rocksdb_engine.h, which opens it.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/statistics.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "storage/engine.h"
#include "storage/rocksdb/rocksdb_engine.h"
#include "storage/rocksdb/table_adder.h"

namespace starling::storage {

enum class Access : std::uint8_t { kRead, kWrite };

class OpenEngine final : public Engine {
 public:
  OpenEngine(RocksDbOptions options, Access access, std::unique_ptr<rocksdb::Env> env,
             std::shared_ptr<rocksdb::Statistics> statistics, std::unique_ptr<rocksdb::DB> db,
             std::vector<rocksdb::ColumnFamilyHandle*> families)
      : options_(std::move(options)),
        env_(std::move(env)),
        statistics_(std::move(statistics)),
        db_(std::move(db)),
        adder_(access == Access::kWrite ? std::make_unique<TableAdder>(*db_, options_.directory)
                                        : nullptr),
        families_(std::move(families)) {}

  ~OpenEngine() override {
    for (rocksdb::ColumnFamilyHandle* family : families_)
      db_->DestroyColumnFamilyHandle(family).PermitUncheckedError();  // Frees memory only.
  }

  void Get(Family family, std::span<const base::Bytes> keys, Tier tier, GetSink& sink) override;
  base::Status Write(std::span<const Batch* const> batches, Sync sync) override;
  base::Status SyncLog() override;
  base::Status AddTables(Family family,
                         std::span<const std::span<const SortedEntry>> tables) override;
  std::unique_ptr<Cursor> Scan(Family family, base::Bytes begin, base::Bytes end) override;
  std::uint64_t sequence() const override { return db_->GetLatestSequenceNumber(); }
  base::Status Flush() override;
  base::Status Compact() override;
  base::Result<std::unique_ptr<Engine>> Checkpoint(const std::string& directory) override;
  std::vector<Table> Tables() const override;
  base::Status CheckTable(const std::string& name) override;
  EngineStats stats() const override;
  std::vector<FamilySize> Families() const override;
  std::uint64_t ApproximateBytes(Family family, base::Bytes begin, base::Bytes end) const override;

 private:
  rocksdb::ColumnFamilyHandle* handle(Family family) const {
    return families_[static_cast<std::size_t>(family)];
  }
  void Report(std::size_t index, const rocksdb::Status& status, const rocksdb::PinnableSlice& value,
              GetSink& sink) const;
  base::Status WriteFailed(const rocksdb::Status& status, std::string_view attempted);
  base::Status RefuseIfFailed(std::string_view attempted) const;

  // Constant after construction. db_ goes before the environment that it uses.
  const RocksDbOptions options_;
  const std::unique_ptr<rocksdb::Env> env_;
  const std::shared_ptr<rocksdb::Statistics> statistics_;
  const std::unique_ptr<rocksdb::DB> db_;
  const std::unique_ptr<TableAdder> adder_;  // Null: opened to be read only.
  const std::vector<rocksdb::ColumnFamilyHandle*> families_;

  // The committer's lane only.
  rocksdb::WriteBatch merged_;  // Reused: a write allocates nothing once it has grown.
  base::Status write_failure_;  // The first one; nothing is written after it.

  // Any thread: write_failure_ is set, and the background lane writes nothing more either.
  std::atomic<bool> failed_ = false;
  std::atomic<std::uint64_t> added_bytes_ = 0;  // By AddTables, of keys and values.
};

}  // namespace starling::storage
