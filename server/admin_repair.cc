// server/admin_repair.cc: `nodetool repairstatus` and `repair`.
#include <fmt/core.h>

#include <algorithm>

#include "server/admin.h"
#include "server/admin_places.h"
#include "server/admin_progress.h"
#include "server/control.h"

namespace starling::server {

using base::Json;

Json Admin::RepairStatus(const std::vector<WorkerStats>& stats) const {
  const Snapshot& snapshot = *control_.snapshot_;
  Json ranges = Json::Array();
  for (const topology::Keyspace& keyspace : snapshot.topology->keyspaces) {
    for (const topology::Range& range : snapshot.ring->ranges(keyspace.id)) {
      if (std::find(range.replicas.begin(), range.replicas.end(), snapshot.self) ==
          range.replicas.end())
        continue;
      Json replicas = Json::Array();
      std::vector<std::string> blocked;
      bool equal = true;
      std::int64_t equal_ms = INT64_MAX;
      for (const std::uint16_t node : range.replicas) {
        replicas.Append(snapshot.node(node).cluster.IpString());
        if (node == snapshot.self) continue;
        const Repair::Standing standing = control_.repair_.StandingWith(node, keyspace.id);
        equal = equal && standing.equal;
        equal_ms = std::min(equal_ms, standing.equal_ms);
        if (standing.equal) continue;
        std::string why = snapshot.node(node).cluster.IpString();
        if (!standing.problem.empty()) why += ": " + standing.problem;
        blocked.push_back(why);
      }
      const RangeProof* proof = control_.proofs_.Find(keyspace.id, range);
      for (const std::string& why : control_.proofs_.BlockedBy(keyspace.id, range)) {
        const bool told = std::ranges::any_of(blocked, [&](const std::string& each) {
          return why.starts_with(each.substr(0, why.find(':')));
        });
        if (!told) blocked.push_back(why);
      }
      if (equal_ms == INT64_MAX) equal_ms = control_.world_.WallMs();  // Nobody to differ from.
      ranges.Append(
          {{"keyspace", keyspace.name},
           {"range", fmt::format("{:04x}-{:04x}", range.first_bucket, range.last_bucket)},
           {"replicas", replicas},
           {"equal", equal},
           {"last_equal_ms", equal_ms == 0 ? Json() : Json(equal_ms)},
           {"proved_through_ms", proof == nullptr ? Json() : Json(merkle::EndOf(proof->through))},
           {"blocked_by", blocked}});
    }
  }
  WorkerStats sum;
  for (const WorkerStats& each : stats) sum += each;
  Json pulling;  // Null: nothing is.
  if (sum.repair.pulling.slices > 0) SetPulling(pulling, sum.repair.pulling);
  const RangeProof* oldest = control_.proofs_.Oldest();
  return {{"ranges", ranges},
          {"repair", pulling},
          {"trees", sum.making.slices == 0 ? Json() : ShowMaking(sum.making)},
          {"oldest_proof_ms", oldest == nullptr ? Json() : Json(merkle::EndOf(oldest->through))},
          {"warnings", Warnings()}};
}

// By peer, keyspace and range, as each was when it was compared. `entries_here` is what a repair
// would read of them on this node; what it would move, the entries alone can tell.
Json Admin::DryRepair(const Repair::Result& result) const {
  const topology::Topology& topology = *control_.snapshot_->topology;
  Json rows = Json::Array();
  for (const Repair::Difference& each : result.differing) {
    const topology::Node* peer = topology.FindNumber(each.peer);
    for (const RangeDifference& range : each.ranges) {
      const topology::Keyspace* keyspace = topology.FindKeyspace(range.keyspace);
      if (peer == nullptr || keyspace == nullptr) continue;
      rows.Append({{"peer", peer->cluster.IpString()},
                   {"keyspace", keyspace->name},
                   {"range", fmt::format("{:04x}-{:04x}", range.first_bucket, range.last_bucket)},
                   {"buckets", range.last_bucket - range.first_bucket + 1},
                   {"buckets_differ", range.buckets},
                   {"entries_here", range.entries_here}});
    }
  }
  return {{"dry_run", true},
          {"compared", result.compared},
          {"peers", result.peers},
          {"differing", rows},
          {"equal", result.equal},
          {"reason", result.reason},
          {"took_ms", base::ToMs(result.took)}};
}

void Admin::StartRepair(const ReplyTo& to, const std::string& keyspace, bool dry_run) {
  base::KeyspaceId id = Repair::kAllKeyspaces;
  if (!keyspace.empty()) {
    const topology::Keyspace* space = control_.snapshot_->topology->FindKeyspace(keyspace);
    if (space == nullptr) return Fail(to, NoKeyspace(keyspace));
    id = space->id;
  }
  if (dry_run)
    return control_.repair_.RunNow(
        id, Repair::Mode::kLook,
        [this, to](const Repair::Result& result) { Answer(to, DryRepair(result)); });
  control_.repair_.RunNow(id, Repair::Mode::kHeal, [this, to](const Repair::Result& result) {
    Answer(to, {{"compared", result.compared},
                {"peers", result.peers},
                {"entries_received", result.entries_received},
                {"equal", result.equal},
                {"reason", result.reason},
                {"took_ms", base::ToMs(result.took)}});
  });
}

}  // namespace starling::server
