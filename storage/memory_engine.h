// storage/memory_engine.h: an engine in memory over a disk that survives crashes, for the
// simulator.
//
// MemoryDisk is what outlives a process; MemoryEngine is the process's hold on it. Destroying the
// engine and making another one is a kill: all that was written is there. MemoryDisk::Crash between
// the two is a power loss: of the writes after the last sync only a prefix is left, as with a WAL.
//
//   auto disk = std::make_shared<MemoryDisk>();
//   auto engine = std::make_unique<MemoryEngine>(disk);
//   ...
//   engine.reset();
//   disk->Crash(random);
//   engine = std::make_unique<MemoryEngine>(disk);
//
// Thread:    any; one mutex. Under one thread everything is a function of the calls and the seed.
// Ownership: engines and cursors share the disk.
// Read next: tests/storage/engine_suite.h.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "storage/engine.h"

namespace starling::storage {

class MemoryDisk {
 public:
  MemoryDisk();

  // Loses power. REQUIRES: no engine is used on this disk any more.
  void Crash(std::size_t keep);      // Keeps the first `keep` writes after the last sync.
  void Crash(base::Random& random);  // Keeps any number of them, drawn.

  // Every write and sync fails with `status` from now on and changes nothing; Ok() ends that.
  void FailWrites(base::Status status);
  // So does every sync, and every write that is to be synced; others go on.
  void FailSyncs(base::Status status);

  // As it is now, for a test to put back later.
  std::shared_ptr<MemoryDisk> Copy() const;

  std::size_t unsynced_writes() const;
  std::uint64_t entries_in_tables() const;  // That AddTables brought.

 private:
  friend class MemoryEngine;

  using Table = std::map<std::string, std::string, std::less<>>;

  // What one change replaced. Undoing the unsynced writes from the last one back gives the synced
  // state: that costs a write one move of the old value, where a second copy of the synced tables
  // would double the memory.
  struct Undo {
    Family family;
    std::string key;
    std::optional<std::string> old_value;
  };
  struct Applier;
  // Of one Write().
  struct Unsynced {
    std::vector<Undo> undos;
    std::uint64_t changes = 0;  // More than undos, where AddTables has replaced what it wrote.
  };

  const Table& table(Family family) const { return *tables_[static_cast<std::size_t>(family)]; }
  // To be changed: a copy, if a cursor walks over the one that is there.
  Table& Changed(Family family);
  void UndoLastWrite();
  // No power loss changes these keys any more, but by undoing what is written from now on.
  void ForgetUndosOf(Family family, std::span<const std::span<const SortedEntry>> tables);

  mutable std::mutex mutex_;
  std::array<std::shared_ptr<Table>, kFamilies> tables_;  // Shared with cursors.
  std::vector<Unsynced> unsynced_;
  std::uint64_t sequence_ = 0;  // Changes made and not undone.
  std::uint64_t entries_in_tables_ = 0;
  base::Status write_failure_;
  base::Status sync_failure_;
};

struct MemoryEngineOptions {
  // The share of lookups under Tier::kCacheOnly that are answered kNotCached, drawn from `seed`:
  // raising it sends more reads of a simulated node through the read lane.
  double miss_probability = 0;
  std::uint64_t seed = 1;
};

class MemoryEngine final : public Engine {
 public:
  explicit MemoryEngine(std::shared_ptr<MemoryDisk> disk, MemoryEngineOptions options = {});

  void Get(Family family, std::span<const base::Bytes> keys, Tier tier, GetSink& sink) override;
  base::Status Write(std::span<const Batch* const> batches, Sync sync) override;
  base::Status SyncLog() override;
  // Fails as a write that is to be synced does.
  base::Status AddTables(Family family,
                         std::span<const std::span<const SortedEntry>> tables) override;
  // A write while the cursor lives costs a copy of the family, once.
  std::unique_ptr<Cursor> Scan(Family family, base::Bytes begin, base::Bytes end) override;
  std::uint64_t sequence() const override;
  base::Status Flush() override;    // Syncs: flushed tables survive a power loss.
  base::Status Compact() override;  // The same.
  // FailedPrecondition.
  base::Result<std::unique_ptr<Engine>> Checkpoint(const std::string& directory) override;
  // One table, of all entries.
  std::vector<Table> Tables() const override;
  base::Status CheckTable(const std::string& name) override;
  // pending_compaction_bytes and memtable_bytes stay 0.
  EngineStats stats() const override;
  // One, which is all on disk.
  std::vector<FamilySize> Families() const override;
  // O(what is in it).
  std::uint64_t ApproximateBytes(Family family, base::Bytes begin, base::Bytes end) const override;

 private:
  class SnapshotCursor;

  // Constant after construction.
  const std::shared_ptr<MemoryDisk> disk_;
  const MemoryEngineOptions options_;

  // Guarded by disk_->mutex_.
  base::Random random_;
  EngineStats stats_;
};

}  // namespace starling::storage
