// server/control_http.cc: what the HTTP port serves: /metrics and /health.
#include <fmt/core.h>

#include <algorithm>

#include "base/json.h"
#include "base/log.h"
#include "server/control.h"
#include "server/exposition.h"
#include "server/metrics.h"
#include "server/version.h"

namespace starling::server {
base::Status Control::ListenHttp() {
  const std::uint16_t port = shared_.config.ports.metrics;
  return port == 0 ? base::Ok() : world_.Listen(kHttpListener, self_.client.WithPort(port));
}

void Control::ServeHttp(base::ConnId conn, const std::string& path) {
  if (path == "/health") return ServeHealth(conn);
  if (path != "/metrics")
    return http_.Answer(conn, 404, "text/plain; charset=utf-8", "here are /metrics and /health\n");
  GatherStats([this, conn](const std::vector<WorkerStats>& stats) {
    http_.Answer(conn, 200, Exposition::kContentType, Metrics(stats));
  });
}

// Why this node serves no clients now; empty: it does.
std::string Control::Ailment() const {
  if (retired_) return "draining: no more requests are taken";
  if (snapshot_ == nullptr) return "starting: this node is in no cluster yet";
  if (!published_) return "starting: the clock's bound is not on disk yet";
  if (loss_.any()) return "not ready: rebuilding what was lost: " + loss_.reason;
  if (!serves()) return "not ready: catching up with what this node replicates";
  return {};
}

void Control::ServeHealth(base::ConnId conn) {
  const std::string why = Ailment();
  base::Json health = {{"status", why.empty() ? "ok" : "unavailable"}};
  if (!why.empty()) health.Set("reason", why);
  if (why.empty() && disk_.full()) {  // It serves reads: no reason to go elsewhere for all.
    health.Set("status", "read-only");
    health.Set("reason", "the disk is full: only reads and deletes are served");
  }
  health.Set("version", kVersion);
  health.Set("host_id", shared_.identity.host.ToString());
  if (snapshot_ != nullptr) health.Set("epoch", snapshot_->topology->epoch);
  http_.Answer(conn, why.empty() ? 200 : 503, "application/json", health.Text() + '\n');
}

std::string Control::Metrics(const std::vector<WorkerStats>& stats) const {
  NodeMetrics metrics;
  metrics.healthy = Ailment().empty();
  metrics.uptime = world_.Now() - started_;
  metrics.loop_lag = lag_.worst();
  metrics.disk_full = disk_.full();
  metrics.disk_free_bytes = disk_.space().free_bytes;
  metrics.disk_reserve_bytes = disk_.reserve_bytes();
  metrics.scrub = scrub_.progress();
  metrics.clients = shared_.clients.load(std::memory_order_relaxed);
  metrics.repair_comparisons = repair_.comparisons();
  metrics.repair_bytes_sent = repair_.bytes_sent();
  metrics.workers = stats;
  metrics.engine = shared_.engine.stats();
  metrics.process = ReadProcessStats();
  gossip::Report report;
  if (gossip_ != nullptr) {
    report = gossip_->report();
    metrics.gossip = &report;
  }
  if (snapshot_ == nullptr) return MetricsPage(metrics);
  metrics.epoch = snapshot_->topology->epoch;
  if (const RangeProof* oldest = proofs_.Oldest())
    metrics.oldest_proof_age_ms =
        std::max<std::int64_t>(0, world_.WallMs() - merkle::EndOf(oldest->through));
  for (const topology::Keyspace& keyspace : snapshot_->topology->keyspaces)
    metrics.keyspaces.push_back({keyspace.name, 0, EqualAgeMs(keyspace.id)});
  for (const WorkerStats& each : stats)
    for (std::size_t i = 0; i < metrics.keyspaces.size(); ++i)
      if (const auto found = each.entries.find(snapshot_->topology->keyspaces[i].id);
          found != each.entries.end())
        metrics.keyspaces[i].entries += found->second;
  for (const topology::Keyspace& keyspace : snapshot_->topology->keyspaces)
    metrics.purge.push_back(MetricsOf(keyspace, stats));
  return MetricsPage(metrics);
}

PurgeMetrics Control::MetricsOf(const topology::Keyspace& keyspace,
                                const std::vector<WorkerStats>& stats) const {
  PurgeStats sum;
  for (const WorkerStats& each : stats)
    if (const auto found = each.purge.find(keyspace.id); found != each.purge.end())
      sum += found->second;
  const std::int64_t now_ms = world_.WallMs();
  PurgeMetrics metrics{.keyspace = keyspace.name,
                       .tombstones = sum.dead.tombstones,
                       .tombstone_bytes = sum.dead.tombstone_bytes,
                       .expiring = sum.dead.expiring,
                       .blockers = purge_.Blockers(keyspace.id).size()};
  if (sum.dead.due_s != purge::DeadCounts::kNever)
    metrics.overdue_ms = std::max<std::int64_t>(
        0, now_ms - base::ToMs(shared_.config.purge.horizon) - std::int64_t{sum.dead.due_s} * 1000);
  if (sum.oldest_purged != UINT64_MAX)
    metrics.oldest_mark_age_ms =
        std::max<std::int64_t>(0, now_ms - static_cast<std::int64_t>(sum.oldest_purged >> 16));
  return metrics;
}

// Since every peer that shares the keyspace compared equal, the one that did so first; 0 where
// there is nobody to differ from, -1 while one never did.
std::int64_t Control::EqualAgeMs(base::KeyspaceId keyspace) const {
  std::int64_t oldest = world_.WallMs();
  for (const topology::Range& range : snapshot_->ring->ranges(keyspace)) {
    if (std::ranges::find(range.replicas, snapshot_->self) == range.replicas.end()) continue;
    for (const std::uint16_t node : range.replicas) {
      if (node == snapshot_->self) continue;
      const std::int64_t equal_ms = repair_.StandingWith(node, keyspace).equal_ms;
      if (equal_ms == 0) return -1;
      oldest = std::min(oldest, equal_ms);
    }
  }
  return world_.WallMs() - oldest;
}

}  // namespace starling::server
