// tests/storage/tree_history.h: a random life of a replica's data and of the tree beside it.
//
// The law: after any history of puts, deletes, overwrites, expiries, late versions, flushes, kills
// and power losses, over several keyspaces, the incremental tree, in memory and as stored, equals
// the tree recomputed from the stored data.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/version.h"
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
// the leaves that changed.
class TreeWorker {
 public:
  explicit TreeWorker(Engine& engine);  // Loads the leaves that are stored.

  void Apply(const Change& change);
  void EndTurn(Sync sync);

  // Whether memory, the stored leaves and the stored data tell the same.
  bool Agrees() const;

 private:
  struct Stored {
    base::Version version;
    merkle::Digest digest;
  };

  merkle::Tree& TreeOf(base::KeyspaceId keyspace);
  // What this turn or the engine holds of a key; nullopt when neither does.
  std::optional<Stored> Find(const std::string& data_key) const;

  Engine& engine_;
  std::map<base::KeyspaceId, std::unique_ptr<merkle::Tree>> trees_;
  Batch batch_;
  std::map<std::string, Stored> overlay_;  // Written in this turn.
};

// Runs one life drawn from `seed`; EXPECTs that the tree agrees after every turn and every crash.
void RunTreeHistory(Machine& machine, std::uint64_t seed, int turns);

}  // namespace starling::storage
