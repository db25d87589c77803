// server/admin_purge.cc: what purge holds back and removes, for `nodetool purgestatus`, and what an
// operator is warned of wherever he looks first.
#include <fmt/core.h>

#include "server/admin.h"
#include "server/control.h"

namespace starling::server {

using base::Json;

namespace {

// A mark as wall time; null: none yet.
Json MarkMs(std::uint64_t mark) {
  return mark == 0 ? Json() : Json(static_cast<std::int64_t>(mark >> 16));
}

}  // namespace

Json Admin::PurgeStatus(const std::vector<WorkerStats>& stats) const {
  WorkerStats sum;
  for (const WorkerStats& each : stats) sum += each;
  const Config& config = control_.shared_.config;
  Json keyspaces = Json::Array();
  for (const topology::Keyspace& keyspace : control_.snapshot_->topology->keyspaces) {
    const PurgeStats& purge = sum.purge[keyspace.id];
    const PurgeRounds::Standing standing = control_.purge_.StandingOf(keyspace.id);
    keyspaces.Append({{"keyspace", keyspace.name},
                      {"tombstones", purge.dead.tombstones},
                      {"bytes", purge.dead.tombstone_bytes},
                      {"expiring", purge.dead.expiring},
                      {"closed_ms", MarkMs(purge.highest.closed)},
                      {"purged_ms", MarkMs(purge.highest.purged)},
                      {"rounds", standing.rounds},
                      {"unequal_buckets", standing.unequal},
                      {"blocked_by", control_.purge_.Blockers(keyspace.id)}});
  }
  return {{"enabled", config.purge.enabled},
          {"interval_ms", base::ToMs(config.purge.interval)},
          {"horizon_age_ms", base::ToMs(config.purge.horizon)},
          {"max_outage_ms", base::ToMs(config.purge.outage_max)},
          {"entries_purged", sum.purged},
          {"writes_too_old", sum.too_old},
          {"buckets_adopted", sum.adopted},
          {"entries_quarantined", sum.quarantined},
          {"keyspaces", keyspaces}};
}

// What is for a person to mend: damage on this node's disk, and what keeps deleted data on the
// disks of all.
Json Admin::Warnings() const {
  const Snapshot& snapshot = *control_.snapshot_;
  Json warnings = Json::Array();
  if (const std::string& damage = control_.scrub_.damage(); !damage.empty()) {
    const std::size_t more =
        control_.scrub_.damages().size() - 1 + control_.scrub_.damages_untold();
    warnings.Append(fmt::format(
        "data of this node are damaged, and its disk may be failing: {}{}", damage,
        more == 0 ? "" : fmt::format(", and {} more: nodetool scrubstatus names them", more)));
  }
  if (std::string why = control_.WhyNeverReady(); !why.empty()) warnings.Append(why);
  if (const std::string& why = control_.moving_.problem(); !why.empty()) warnings.Append(why);
  if (!control_.shared_.config.purge.enabled) return warnings;
  for (std::size_t i = 0; i < snapshot.peers.size(); ++i) {
    const topology::Node& node = snapshot.node(i);
    if (!node.member()) continue;
    if (node.absent != 0)
      warnings.Append(fmt::format(
          "{} was declared absent in epoch {}: purge goes on without it. When it returns it "
          "catches "
          "up before it serves, and what it alone has of what was purged goes to its quarantine",
          node.cluster.IpString(), node.absent));
    if (node.absent != 0 || snapshot.peers[i].up || control_.SeemsAlive(node)) continue;
    warnings.Append(fmt::format(
        "{} is down: what was deleted or has expired is not purged from the ranges that "
        "it replicates until it is back, replaced, or declared absent (purge.max_outage)",
        node.cluster.IpString()));
  }
  if (control_.shared_.config.storage.durability == Durability::kPeriodic)
    warnings.Append(
        "storage.durability is periodic here: what was deleted or has expired is not purged from "
        "the ranges that this node replicates");
  return warnings;
}

}  // namespace starling::server
