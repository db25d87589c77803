// server/snapshot.h: what a node knows of its cluster at one moment, published by control.
//
// Immutable. Each worker adopts the newest one in a turn of its own, so that all decisions of a
// turn rest on one view.
//
// Thread:    shared by all; never changed after it was published.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "server/quorum.h"
#include "server/topology/ring.h"
#include "server/topology/topology.h"

namespace starling::server {

struct Snapshot {
  struct Peer {
    bool up = false;         // SWIM says alive; ourselves: always.
    bool ready = false;      // Serves reads.
    std::uint64_t boot = 0;  // The newest that gossip has heard of; 0: none.

    bool operator==(const Peer&) const = default;
  };

  topology::TopologyPtr topology;
  std::shared_ptr<const topology::Ring> ring;
  std::size_t self = 0;          // Our index in topology->nodes.
  std::uint64_t ring_epoch = 0;  // Since when ownership is as it is: older requests are refused.
  std::vector<Peer> peers;       // By index in topology->nodes.

  const topology::Node& node(std::size_t index) const { return topology->nodes[index]; }
  const topology::Node& me() const { return topology->nodes[self]; }
  bool ready() const { return peers[self].ready; }
};

using SnapshotPtr = std::shared_ptr<const Snapshot>;

// The replicas of one key, as the quorum rules see them: bit i is replicas[i].
struct ReplicaSet {
  std::span<const std::uint16_t> nodes;  // Indexes into the topology's nodes.
  ReplicaMask all = 0;
  ReplicaMask local = 0;  // In our datacenter.
  ReplicaMask up = 0;
  ReplicaMask readable = 0;  // Up and ready.
  int self = -1;             // Our own place, or -1.
};

inline ReplicaSet ReplicasOf(const Snapshot& snapshot, base::KeyspaceId keyspace,
                             std::uint16_t bucket) {
  ReplicaSet set;
  set.nodes = snapshot.ring->Replicas(keyspace, bucket);
  for (std::size_t i = 0; i < set.nodes.size(); ++i) {
    const ReplicaMask bit = ReplicaMask{1} << i;
    const std::size_t node = set.nodes[i];
    set.all |= bit;
    if (snapshot.node(node).dc == snapshot.me().dc) set.local |= bit;
    if (snapshot.peers[node].up) set.up |= bit;
    if (snapshot.peers[node].up && snapshot.peers[node].ready) set.readable |= bit;
    if (node == snapshot.self) set.self = static_cast<int>(i);
  }
  return set;
}

}  // namespace starling::server
