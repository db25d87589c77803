// server/admin_dry_run.cc: what `nodetool flush` and `compact` would write, and whom a drain would
// leave without enough replicas.
#include <algorithm>

#include "server/admin.h"
#include "server/control.h"

namespace starling::server {

using base::Json;

Json Admin::DryFlush() const {
  Json families = Json::Array();
  std::uint64_t bytes = 0;
  for (const storage::FamilySize& family : control_.shared_.engine.Families()) {
    bytes += family.memtable_bytes;
    families.Append({{"family", family.name},
                     {"changes", family.memtable_entries},
                     {"in_memory_bytes", family.memtable_bytes}});
  }
  return {{"dry_run", true}, {"in_memory_bytes", bytes}, {"families", families}};
}

// All tables are merged anew, each family by itself, and what is in memory is flushed before. Until
// a family is done its old tables stay: the disk needs room for the largest one again.
Json Admin::DryCompact() const {
  Json families = Json::Array();
  std::uint64_t tables = 0, on_disk = 0, in_memory = 0;
  for (const storage::FamilySize& family : control_.shared_.engine.Families()) {
    tables += family.tables;
    on_disk += family.table_bytes;
    in_memory += family.memtable_bytes;
    families.Append({{"family", family.name},
                     {"tables", family.tables},
                     {"on_disk_bytes", family.table_bytes},
                     {"in_memory_bytes", family.memtable_bytes}});
  }
  return {{"dry_run", true},
          {"tables", tables},
          {"on_disk_bytes", on_disk},
          {"in_memory_bytes", in_memory},
          {"disk_free_bytes", control_.disk_.space().free_bytes},
          {"families", families}};
}

// Of the ranges that this node replicates: in how many fewer than a majority would be left that are
// up, and in how many none at all.
Json Admin::DryDrain() const {
  const Snapshot& snapshot = *control_.snapshot_;
  const topology::Topology& topology = *snapshot.topology;
  Json down = Json::Array();
  for (const topology::Node* node : topology.members())
    if (node->host != snapshot.me().host && !control_.SeemsAlive(*node))
      down.Append(node->cluster.IpString());
  const auto stays_up = [&](std::uint16_t node) {
    return node != snapshot.self && control_.SeemsAlive(topology.nodes[node]);
  };
  Json keyspaces = Json::Array();
  for (const topology::Keyspace& keyspace : topology.keyspaces) {
    std::size_t ranges = 0, no_quorum = 0, no_replica = 0;
    for (const topology::Range& range : snapshot.ring->ranges(keyspace.id)) {
      if (std::ranges::find(range.replicas, snapshot.self) == range.replicas.end()) continue;
      const auto left = static_cast<std::size_t>(std::ranges::count_if(range.replicas, stays_up));
      ++ranges;
      if (left < range.replicas.size() / 2 + 1) ++no_quorum;
      if (left == 0) ++no_replica;
    }
    keyspaces.Append({{"keyspace", keyspace.name},
                      {"ranges", ranges},
                      {"without_quorum", no_quorum},
                      {"without_replica", no_replica}});
  }
  return {{"dry_run", true}, {"down", down}, {"keyspaces", keyspaces}};
}

}  // namespace starling::server
