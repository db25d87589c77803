// server/metrics.h: all that a node counts, as a page for Prometheus (docs/operations.md lists it).
//
// Labels are bounded: states, outcomes, kinds, and the names of keyspaces; never hosts or keys.
//
// Thread: a free function.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gossip/report.h"
#include "server/process_stats.h"
#include "server/scrub.h"
#include "server/stats.h"
#include "storage/engine.h"

namespace starling::server {

struct KeyspaceMetrics {
  std::string name;
  std::uint64_t entries = 0;
  std::int64_t equal_age_ms = -1;  // Since every peer last compared equal; -1: some never did.
};

// What purge holds of a keyspace on this node (docs/purge.md).
struct PurgeMetrics {
  std::string keyspace;
  std::uint64_t tombstones = 0;
  std::uint64_t tombstone_bytes = 0;
  std::uint64_t expiring = 0;
  std::uint64_t blockers = 0;            // Nodes or reasons that hold it up.
  std::int64_t overdue_ms = 0;           // Since something could have gone, by its age alone.
  std::int64_t oldest_mark_age_ms = -1;  // -1: no bucket that holds any was purged yet.
};

struct NodeMetrics {
  bool healthy = false;
  std::uint64_t epoch = 0;
  base::Duration uptime{};
  base::Duration loop_lag{};  // The worst of control's lately.
  std::uint64_t clients = 0;
  bool disk_full = false;  // As of the last look, like what follows.
  std::uint64_t disk_free_bytes = 0;
  std::uint64_t disk_reserve_bytes = 0;
  ScrubProgress scrub;
  std::uint64_t repair_comparisons = 0;
  std::uint64_t repair_bytes_sent = 0;
  std::int64_t oldest_proof_age_ms = -1;  // -1: some range has none.
  std::vector<WorkerStats> workers;
  storage::EngineStats engine;
  ProcessStats process;
  const gossip::Report* gossip = nullptr;  // Null while the node is in no cluster.
  std::vector<KeyspaceMetrics> keyspaces;
  std::vector<PurgeMetrics> purge;
};

std::string MetricsPage(const NodeMetrics& metrics);

}  // namespace starling::server
