// tests/sim/cluster.h: a cluster of whole nodes on virtual time, with clients and what is checked.
//
// A node's disk survives its lives: killed, it keeps all that was written; losing power, it keeps
// what was synced and a prefix of the rest. Each node has a watcher: a client that talks to that
// node alone, through which a test sees what the node thinks of the cluster, and by which it
// chooses a coordinator.
//
//   Cluster cluster({.seed = 7});
//   REQUIRE(cluster.AwaitAllUp(seconds(30)));
//   cluster.Kill(2);
//   const auto id = cluster.Await(cluster.watcher(0).Put("key", 1));
//
// Thread:    confined to one thread.
// Read next: tests/sim/storm.h, tests/sim/sim_test.cc
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/place.h"
#include "server/config.h"
#include "server/node.h"
#include "storage/memory_engine.h"
#include "tests/sim/history.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/simulation.h"

namespace starling::sim {

// As a node's own, but that many values come in pieces when they are repaired, and most others in
// tables.
inline server::Config SmallPieces() {
  server::Config config;
  config.repair.piece_bytes = 64;
  config.repair.run_bytes = 6 << 10;
  return config;
}

struct ClusterOptions {
  std::uint64_t seed = 1;
  std::uint32_t nodes = 5;
  std::uint32_t workers = 3;
  Faults faults{};
  server::Config config = SmallPieces();          // Of each node, addresses aside.
  server::NodeKeys keys{};                        // Of each node.
  server::LookUp look_up = server::SystemLookUp;  // Of seeds' names.
  double cache_misses = 0.1;  // Of reads of old versions: they go through the read lane.
};

class Cluster {
 public:
  explicit Cluster(const ClusterOptions& options);
  ~Cluster();

  // --- nodes ---
  std::uint32_t size() const { return static_cast<std::uint32_t>(nodes_.size()); }
  void Start(std::uint32_t node);  // A node that is up stays as it is.
  void Kill(std::uint32_t node);
  void LosePower(std::uint32_t node);
  // A new, empty disk: the node's next life is another host. REQUIRES: it is down.
  void EmptyDisk(std::uint32_t node);
  // What a node has on disk now; and that put back. REQUIRES: then it is down.
  struct DiskCopy {
    std::shared_ptr<storage::MemoryDisk> disk;
    std::string guard_file;
  };
  DiskCopy CopyDisk(std::uint32_t node) const;
  enum class GuardFile { kKept, kPutBackToo };
  void PutBack(std::uint32_t node, const DiskCopy& copy, GuardFile guard);
  // One machine more, with the others' seeds, and not started yet. It is no seed.
  std::uint32_t AddNode();
  // What the node's next life reads.
  server::Config& config(std::uint32_t node) { return nodes_[node].config; }
  server::NodeKeys& keys(std::uint32_t node) { return nodes_[node].keys; }
  base::Address AddressOf(std::uint32_t node) const;
  bool up(std::uint32_t node) const { return nodes_[node].host->up(); }
  // What the node knows of the cluster; null while it is down or no member.
  server::SnapshotPtr SnapshotOf(std::uint32_t node) const;
  // REQUIRES: it is up, and a member.
  const gossip::Gossip& GossipOf(std::uint32_t node) const {
    return *nodes_[node].node->control().gossip();
  }
  const server::Proofs& ProofsOf(std::uint32_t node) const {
    return nodes_[node].node->control().proofs();
  }
  SimHost& host(std::uint32_t node) { return *nodes_[node].host; }
  storage::Engine& engine(std::uint32_t node) { return *nodes_[node].engine; }
  // Why nodes ended themselves, one line each; empty if none did.
  const std::string& exits() const { return exits_; }

  // --- clients ---
  SimClient& watcher(std::uint32_t node) { return *watchers_[node]; }
  SimClient& AddClient();  // One that routes, as applications do.
  // One that talks to that node alone; with its own keyspace and level, if `options` say so.
  SimClient& AddClientOf(std::uint32_t node, SimClientOptions options = {.session = {}});
  std::vector<std::unique_ptr<SimClient>>& clients() { return clients_; }
  History& history() { return history_; }
  // Runs until the operation has an answer, and a moment longer.
  Record& Await(History::Id id);
  bool AwaitIdle(base::Duration limit);

  // --- what must be true in the end; nullopt or what is wrong ---
  // Every node sees every node up, in one epoch.
  bool AwaitAllUp(base::Duration limit);
  // All replicas of each key hold the same entry; those that were killed are passed over.
  std::optional<std::string> CheckReplicas();
  // How many tombstones all nodes hold together.
  std::size_t Tombstones();
  // How many entries came onto the nodes' disks in tables of their own.
  std::uint64_t EntriesInTables() const;
  // Each node's stored leaves are those of its stored entries.
  std::optional<std::string> CheckTrees();

  // --- who is who ---
  // The nodes that hold a key, in the ring's order. REQUIRES: all were up once.
  std::vector<std::uint32_t> ReplicasOf(const std::string& key);
  // A key that begins with `prefix` and has the same replicas.
  std::string KeyWithReplicas(const std::vector<std::uint32_t>& nodes, const std::string& prefix);
  base::Token TokenOf(const std::string& key) { return base::TokenOf(key, Map().token_seed); }
  // The value that a node has stored for a key; nullopt if there is none, or a tombstone.
  std::optional<std::string> StoredValue(std::uint32_t node, const std::string& key);
  // Whether it has any entry of the key, a tombstone included.
  bool HasEntry(std::uint32_t node, const std::string& key);

  Simulation& sim() { return sim_; }

 private:
  struct SimNode {
    SimHost* host = nullptr;
    server::Config config;
    server::NodeKeys keys;
    std::shared_ptr<storage::MemoryDisk> disk;
    std::unique_ptr<storage::MemoryEngine> engine;
    // What outlives the guard; empty: none. Machines move when one is added, and it must not.
    std::unique_ptr<std::string> guard_file = std::make_unique<std::string>();
    std::unique_ptr<storage::MemoryGuard> guard;
    std::unique_ptr<server::Node> node;
  };

  void AddMachine();
  void AddWatcher(std::uint32_t node);
  void Reap(SimNode& node);
  std::optional<std::uint32_t> NodeAt(base::Address client) const;
  const wire::ClusterMap& Map() { return watchers_.front()->session().routing().map(); }
  bool SeesAllUp(std::uint32_t node);
  std::optional<std::uint32_t> IndexOf(base::NodeNumber number);

  const ClusterOptions options_;
  Simulation sim_;
  History history_;
  std::vector<SimNode> nodes_;
  std::vector<std::unique_ptr<SimClient>> watchers_;
  std::vector<std::unique_ptr<SimClient>> clients_;
  std::string exits_;
};

}  // namespace starling::sim
