// server/topology/ring.h: which nodes hold a bucket, worked out once for a topology.
//
// A vnode owns the buckets from its token up to the next token, of whichever node. A key's replicas
// are the owner of its bucket and nodes met on the way clockwise: the next distinct ones (simple),
// or for each datacenter its own factor, racks not used yet first (as Cassandra's SimpleStrategy
// and NetworkTopologyStrategy). A keyspace that is everywhere has all members, in an
// order that turns with the bucket, so that clients spread over them. Nodes that are gone are not
// on the ring; all members are, whatever their state. Who is alive plays no part.
//
// Thread:    immutable after Build; shared by all threads.
// Ownership: holds no pointer into the topology; nodes are named by their index in topology.nodes.
// Read next: tokens.h, which says where the tokens come from
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/place.h"
#include "server/topology/topology.h"

namespace starling::topology {

// Adjacent buckets, both ends included, that the same nodes own.
struct Range {
  std::uint16_t first_bucket = 0;
  std::uint16_t last_bucket = 0;
  std::vector<std::uint16_t> replicas;  // Sorted indexes: a set, the order of preference dropped.

  bool operator==(const Range&) const = default;
};

class Ring {
 public:
  static std::shared_ptr<const Ring> Build(const Topology& topology);

  // Indexes into topology.nodes, the bucket's owner first. Empty for a keyspace that is not there,
  // or whose datacenters have no node. Valid as long as the ring.
  std::span<const std::uint16_t> Replicas(base::KeyspaceId keyspace, std::uint16_t bucket) const;

  // The first bucket after this one whose replicas are others, or in another order; kBuckets if
  // there is none.
  std::uint32_t RunEnd(base::KeyspaceId keyspace, std::uint16_t bucket) const;

  // The whole space in order, cut only where the set of owners changes. Empty for a keyspace that
  // is not there.
  const std::vector<Range>& ranges(base::KeyspaceId keyspace) const;

  // Whether the keyspace is held by all members, whoever they are.
  bool everywhere(base::KeyspaceId keyspace) const;

  // How many buckets a node holds a replica of, and as a share of all: "owns (effective)".
  std::uint32_t OwnedBuckets(base::KeyspaceId keyspace, std::size_t node) const;
  double Owns(base::KeyspaceId keyspace, std::size_t node) const;

  std::size_t memory_bytes() const;

 private:
  // One way of replication: keyspaces that replicate alike share it. 128 KiB, and the runs.
  struct Table {
    std::vector<std::uint16_t> run_of_bucket;  // A run: adjacent buckets, same ordered replicas.
    std::vector<std::uint32_t> run_start;      // Into run_replicas; one more than there are runs.
    std::vector<std::uint16_t> run_replicas;
    std::vector<std::uint32_t> run_end;  // The bucket after its last.
    std::vector<Range> ranges;
    std::vector<std::uint32_t> owned_buckets;  // By node.
    bool everywhere = false;
  };
  class Builder;

  const Table* Find(base::KeyspaceId keyspace) const;

  std::vector<std::pair<base::KeyspaceId, std::shared_ptr<const Table>>> tables_;  // By id.
};

}  // namespace starling::topology
