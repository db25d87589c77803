// storage/engine.h: an ordered, crash-safe map of bytes in families, under atomic batches.
//
// Two implementations with the same semantics, crashes included: storage/rocksdb (production) and
// storage/memory_engine.h (simulator). Both pass tests/storage/engine_suite.h. The engine knows
// nothing of versions: server/ decides what is written, from what it read.
//
// Thread:    Get, Scan, sequence, stats, Families, ApproximateBytes, Tables, CheckTable: any.
//            AddTables: any, several at once.
//            Write, SyncLog: one at a time (the committer's lane).
//            Flush, Compact, Checkpoint: one at a time (a background lane).
// Read next: storage/entry.h, tests/storage/engine_suite.h.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "storage/batch.h"

namespace starling::storage {

enum class Sync : std::uint8_t { kNo, kYes };

// kCacheOnly never touches the disk: what would have to be read is kNotCached.
enum class Tier : std::uint8_t { kCacheOnly, kAll };

enum class Found : std::uint8_t { kValue, kAbsent, kNotCached, kError };

// Receives what Get finds, in the order of the keys. Must not call the engine: Get may hold its
// lock or its scratch memory.
class GetSink {
 public:
  // `value` is valid during the call only; empty unless kValue. With kError, `error` says why
  // (Corruption or Io).
  virtual void OnFound(std::size_t index, Found found, base::Bytes value,
                       const base::Status& error) = 0;

 protected:
  ~GetSink() = default;
};

// A walk over a snapshot, in key order. Must not outlive its engine.
//   for (cursor->Seek(from); cursor->Valid(); cursor->Next()) ...
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual void Seek(base::Bytes key) = 0;  // To the first key at or after `key`.
  virtual bool Valid() const = 0;          // False at the end of the range, and on an error.
  virtual void Next() = 0;                 // REQUIRES: Valid()
  virtual base::Bytes key() const = 0;     // REQUIRES: Valid(); valid until the next move.
  virtual base::Bytes value() const = 0;
  virtual base::Status status() const = 0;  // Why it ended early, if it did.
};

// Counters since Open, from the engine's own statistics.
struct EngineStats {
  std::uint64_t bytes_read = 0;       // By Get: user bytes.
  std::uint64_t iter_bytes_read = 0;  // By cursors: user bytes.
  std::uint64_t bytes_written = 0;
  std::uint64_t live_data_bytes = 0;  // An estimate of what the data takes on disk.
  std::uint64_t keys_estimate = 0;    // In Family::kData.
  std::uint64_t memtable_bytes = 0;
  std::uint64_t pending_compaction_bytes = 0;
  std::uint64_t block_cache_bytes = 0;
  std::uint64_t table_index_bytes = 0;  // Indexes and filters of the tables, in memory.
  std::uint64_t block_cache_hits = 0;
  std::uint64_t block_cache_misses = 0;
  std::uint64_t sst_bytes = 0;
  std::uint64_t wal_syncs = 0;
  std::uint64_t wal_bytes = 0;
  std::uint64_t compaction_bytes_written = 0;
  std::uint64_t stall_us = 0;           // Writes that the engine held back.
  std::uint64_t background_errors = 0;  // Flushes and compactions that failed.
};

// What AddTables takes. Both are the caller's, during the call.
struct SortedEntry {
  base::Bytes key;
  base::Bytes value;
};

// A part of what is on disk, never changed once it is written.
struct Table {
  std::string name;
  std::uint64_t bytes = 0;
};

// What a family takes, on disk and in what Flush() would write.
struct FamilySize {
  std::string name;
  std::uint64_t tables = 0;
  std::uint64_t table_bytes = 0;
  std::uint64_t memtable_entries = 0;  // Changes, of which later ones may undo earlier ones.
  std::uint64_t memtable_bytes = 0;    // Of memory, some of it also where there are no changes.
};

class Engine {
 public:
  virtual ~Engine() = default;

  // Looks up all keys of one family at once and reports each to the sink.
  virtual void Get(Family family, std::span<const base::Bytes> keys, Tier tier, GetSink& sink) = 0;

  // All batches become visible together, in order, or not at all. With kYes they and everything
  // written before survive a power loss once this returns. A failure leaves the engine unusable:
  // the caller ends the process (G2).
  virtual base::Status Write(std::span<const Batch* const> batches, Sync sync) = 0;
  // Everything written before survives a power loss once this returns.
  virtual base::Status SyncLog() = 0;
  // Puts what is in `tables` past log and memtable, as tables of their own, one for each: for much
  // that comes in order into ranges where nothing is stored. It becomes visible together or not at
  // all, and survives a power loss once this returns; what was written before it and not synced
  // need not. It counts as newer than what was written before; where a stored key lies between the
  // first and the last of a table it costs a flush and later merges, no more. A failure (Io: no
  // room, say; Overloaded: merges lag behind; Corruption of what is there) leaves all as it was,
  // and the engine usable; if of that flush, or of the list of tables, then as the next Write says.
  // REQUIRES: in each the keys ascend, and the tables ascend as well; none is empty; nobody writes
  // one of its keys meanwhile.
  virtual base::Status AddTables(Family family,
                                 std::span<const std::span<const SortedEntry>> tables) = 0;

  // A cursor over [begin, end) as it is now; an empty `end` means to the end of the family.
  virtual std::unique_ptr<Cursor> Scan(Family family, base::Bytes begin, base::Bytes end) = 0;

  // How many changes were ever written: it grows with every write, by one for each table that was
  // added over stored keys, and with nothing else. After Open, of those that were recovered. Not
  // ahead of the writes that have returned.
  virtual std::uint64_t sequence() const = 0;

  virtual base::Status Flush() = 0;    // Memtables to disk.
  virtual base::Status Compact() = 0;  // Everything, fully.
  // Makes `directory`, which must not exist while its parent does, and in it this engine as it is
  // at some moment of the call, all families at the same; returns it, opened to be read. Files are
  // shared by hard links, so it takes no room until what it holds is deleted here. Later it opens
  // like any other directory. FailedPrecondition from an engine that has no files.
  virtual base::Result<std::unique_ptr<Engine>> Checkpoint(const std::string& directory) = 0;
  // All of now; some may be gone when they are checked.
  virtual std::vector<Table> Tables() const = 0;
  // Reads a whole table and compares it with its checksums, and its values with their digests.
  // NotFound if it is none of now's any more. Corruption, naming the file and what is wrong; Io
  // when it could not be looked at.
  virtual base::Status CheckTable(const std::string& name) = 0;
  virtual EngineStats stats() const = 0;
  virtual std::vector<FamilySize> Families() const = 0;
  // What [begin, end) takes, about: `end` as of Scan. Reads no data. RocksDB tells of its files to
  // a block or two at either end, of its memtables by sampling, and counts what was replaced until
  // it is compacted; the engine in memory adds up keys and values.
  virtual std::uint64_t ApproximateBytes(Family family, base::Bytes begin,
                                         base::Bytes end) const = 0;
};

// CHECKs what AddTables requires of `tables`.
void CheckSorted(std::span<const std::span<const SortedEntry>> tables);

// One key, read wherever it is: for start-up and rare paths. NotFound when absent.
base::Result<std::string> GetOne(Engine& engine, Family family, base::Bytes key);

}  // namespace starling::storage
