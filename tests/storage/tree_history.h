// tests/storage/tree_history.h: a random life of a replica's data and of the tree beside it.
//
// The law: after any history of puts, deletes, overwrites, expiries, late versions, added tables,
// flushes, kills and power losses, over several keyspaces, the incremental tree, in memory and as
// stored, equals the tree recomputed from the stored data.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/version.h"
#include "merkle/journal.h"
#include "merkle/stored_trees.h"
#include "merkle/tree.h"
#include "storage/batch.h"
#include "tests/storage/engine_suite.h"

namespace starling::storage {

// One write of one key, as a coordinator would send it.
struct Change {
  base::KeyspaceId keyspace = 0;
  std::string key{};
  base::Version version{};
  bool tombstone = false;
  std::uint64_t expiry_ms = 0;  // 0: none.
  std::string value{};
};

// Does what a worker of the server does, and no more: in one batch a turn, the data that won and
// what its journal puts of the leaves that changed.
class TreeWorker final : merkle::RecordSink {
 public:
  explicit TreeWorker(Engine& engine);  // Loads the trees that are stored, and folds their journal.

  void Apply(const Change& change);
  // What is of keys that are not stored goes past the log, the rest as ever. REQUIRES: it is the
  // first of its turn, which ends with a sync.
  void ApplyPastLog(std::span<const Change> changes);
  void EndTurn(Sync sync);

  // Whether memory, the stored leaves and the stored data tell the same.
  bool Agrees() const;

 private:
  struct Stored {
    base::Version version;
    merkle::Digest digest;
  };

  std::string& BeginPut(base::Bytes key) override { return batch_.BeginPut(Family::kTree, key); }
  void EndPut() override { batch_.EndPut(); }
  merkle::Tree& TreeOf(base::KeyspaceId keyspace);
  // In tree and overlay, instead of what was there.
  void Note(const Change& change, const std::string& data_key, const std::optional<Stored>& old);
  // What this turn or the engine holds of a key; nullopt when neither does.
  std::optional<Stored> Find(const std::string& data_key) const;

  Engine& engine_;
  merkle::StoredTrees::Trees trees_;
  merkle::Journal journal_;
  Batch batch_;
  std::map<std::string, Stored> overlay_;  // Written in this turn.
};

// Runs one life drawn from `seed`; EXPECTs that the tree agrees after every turn and every crash.
void RunTreeHistory(Machine& machine, std::uint64_t seed, int turns);

}  // namespace starling::storage
