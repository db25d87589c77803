#include "server/snapshot_facts.h"

#include <algorithm>

#include "server/admin_places.h"

namespace starling::server {
namespace {

// What the node holds a replica of; neighbours that differ in their other owners are one.
std::vector<BucketRange> RangesOf(const Snapshot& look, base::KeyspaceId keyspace) {
  const auto self = static_cast<std::uint16_t>(look.self);
  std::vector<BucketRange> ranges;
  for (const topology::Range& range : look.ring->ranges(keyspace)) {
    if (std::find(range.replicas.begin(), range.replicas.end(), self) == range.replicas.end())
      continue;
    if (!ranges.empty() && ranges.back().last + 1U == range.first_bucket)
      ranges.back().last = range.last_bucket;
    else
      ranges.push_back({range.first_bucket, range.last_bucket});
  }
  return ranges;
}

SnapshotKeyspace FactsOf(const Snapshot& look, const topology::Keyspace& keyspace) {
  return {.id = keyspace.id,
          .name = keyspace.name,
          .replication = keyspace.replication.ToString(),
          .ranges = RangesOf(look, keyspace.id)};
}

}  // namespace

base::Result<SnapshotManifest> SnapshotFacts(const Snapshot& look, const std::string& name,
                                             const std::vector<std::string>& keyspaces,
                                             std::int64_t wall_ms) {
  if (!look.ready())
    return base::Fail(
        base::FailedPrecondition("this node has not caught up with its ranges yet: wait until "
                                 "`nodetool info` shows it ready"));
  const topology::Topology& topology = *look.topology;
  SnapshotManifest facts{.name = name,
                         .created_ms = wall_ms,
                         .cluster_name = topology.cluster_name,
                         .cluster_id = topology.cluster_id,
                         .token_seed = topology.token_seed,
                         .epoch = topology.epoch,
                         .node = look.me()};
  for (const std::string& wanted : keyspaces)
    if (topology.FindKeyspace(wanted) == nullptr) return base::Fail(NoKeyspace(wanted));
  for (const topology::Keyspace& keyspace : topology.keyspaces)
    if (keyspaces.empty() || std::ranges::find(keyspaces, keyspace.name) != keyspaces.end())
      facts.keyspaces.push_back(FactsOf(look, keyspace));
  return facts;
}

}  // namespace starling::server
