// server/snapshot.h: what a node knows of its cluster at one moment, published by control.
//
// Immutable. Each worker adopts the newest one in a turn of its own, so that all decisions of a
// turn rest on one view.
//
// Thread:    shared by all; never changed after it was published.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "server/quorum.h"
#include "server/topology/ring.h"
#include "server/topology/topology.h"

namespace starling::server {

struct Snapshot {
  struct Peer {
    // Requests are sent to it: gossip says alive, or suspect and not confirmed; ourselves: always.
    bool up = false;
    bool ready = false;      // Serves reads.
    std::uint64_t boot = 0;  // The newest that gossip has heard of; 0: none.
    bool disk_full = false;  // Takes deletes, and no put.
    // Reachable, but it fell silent again and again: it is not up before it has stayed for a while.
    bool held = false;

    bool operator==(const Peer&) const = default;
    // Of one that is not up, for people.
    const char* WhyNotUp() const {
      return held ? "it fell silent again and again, and is not used before it has stayed up"
                  : "it is down";
    }
  };

  topology::TopologyPtr topology;
  std::shared_ptr<const topology::Ring> ring;
  std::size_t self = 0;          // Our index in topology->nodes.
  std::uint64_t ring_epoch = 0;  // Since when ownership is as it is: older requests are refused.
  std::vector<Peer> peers;       // By index in topology->nodes.
  // This node has joined or come back, and has yet to compare with the others.
  bool catching_up = false;

  const topology::Node& node(std::size_t index) const { return topology->nodes[index]; }
  const topology::Node& me() const { return topology->nodes[self]; }
  bool ready() const { return peers[self].ready; }
  bool holds_any() const { return std::ranges::any_of(peers, &Peer::held); }
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

// Those of the set that take no put, since their disks are full.
inline ReplicaMask FullOf(const Snapshot& snapshot, const ReplicaSet& set) {
  ReplicaMask full = 0;
  for (std::size_t i = 0; i < set.nodes.size(); ++i)
    if (snapshot.peers[set.nodes[i]].disk_full) full |= ReplicaMask{1} << i;
  return full;
}

enum class Purpose : std::uint8_t { kWrite, kRead };

// The place in `nodes` of the one that serves a key of a keyspace that is everywhere: this node;
// or, for a read that it may not serve, the next one that may.
inline std::size_t ServerEverywhere(const Snapshot& snapshot, std::span<const std::uint16_t> nodes,
                                    Purpose purpose) {
  const auto self = static_cast<std::size_t>(std::find(nodes.begin(), nodes.end(), snapshot.self) -
                                             nodes.begin());
  if (purpose == Purpose::kWrite || snapshot.ready()) return self;
  for (std::size_t i = 1; i < nodes.size(); ++i) {
    const std::size_t place = (self + i) % nodes.size();
    const Snapshot::Peer& peer = snapshot.peers[nodes[place]];
    if (peer.up && peer.ready) return place;
  }
  return self;
}

// In a keyspace that is everywhere each node is a replica by itself, and the set is that one.
inline ReplicaSet ReplicasOf(const Snapshot& snapshot, base::KeyspaceId keyspace,
                             std::uint16_t bucket, Purpose purpose = Purpose::kWrite) {
  ReplicaSet set;
  set.nodes = snapshot.ring->Replicas(keyspace, bucket);
  if (snapshot.ring->everywhere(keyspace))
    set.nodes = set.nodes.subspan(ServerEverywhere(snapshot, set.nodes, purpose), 1);
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
