// tools/gossip_sim/swim_report.h: what one course of events came to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "tools/gossip_sim/summary.h"

namespace starling::gossip_sim {

// What came of waiting until all nodes agree again.
struct Agreement {
  bool asked = false;               // That was part of the course.
  std::optional<double> after_s{};  // nullopt: not within kAgreeLimit.

  bool missed() const { return asked && !after_s; }
};

// Of the node with most, at any time: of how many members news waited to be told, and how many
// places the queue held for that.
struct NewsMax {
  std::size_t waiting = 0;
  std::size_t slots = 0;
};

// How long all are waited for.
inline constexpr base::Duration kAgreeLimit = base::seconds(300);

struct SwimReport {
  Summary first_suspect_s;  // From the kill to the first survivor that suspects.
  Summary first_dead_s;
  Summary all_suspect_s;      // To the last survivor that at least suspects.
  Summary all_unreachable_s;  // To the last that holds it for unreachable: what routing acts on.
  Summary all_know_s;         // To the last survivor that holds it for dead.
  std::uint32_t not_all_knew = 0;          // Killed that some survivor did not hold for dead.
  std::uint64_t false_deaths_healthy = 0;  // (Observer, subject) pairs: never paused, running.
  std::uint64_t false_deaths_paused = 0;
  std::uint64_t false_unreachable_healthy = 0;  // Likewise, and reversible.
  double bytes_per_node_s = 0;                  // Datagram payloads out.
  double packets_per_node_s = 0;
  double stream_bytes_per_node_s = 0;  // Requests and answers out.
  double joined_after_s = 0;           // From the first boot until all saw all.
  // Nodes that were still spreading news of who joined when the span began: from some 200 nodes
  // on that takes longer than the minute before, and the traffic above is not an idle cluster's.
  std::uint32_t had_news = 0;
  // After the last boot, the joins, the partition, the churn's last boot.
  Agreement restarted, joins_known, healed, churned;
  std::uint64_t deaths_by_restart = 0;  // (Observer, subject) pairs, until all agreed.
  std::uint64_t deaths_by_churn = 0;    // Likewise: of who ran, in its present generation.
  NewsMax churn_news;
  std::uint64_t stream_bytes_max = 0;  // What joining moved over streams, of the node with most.
  std::uint64_t trace_hash = 0;
};

}  // namespace starling::gossip_sim
