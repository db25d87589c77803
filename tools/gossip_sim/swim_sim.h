// tools/gossip_sim/swim_sim.h: how soon a cluster knows its dead, and whom it wrongs.
//
// N real cores join through up to three seeds; once all see all, datagrams begin to be lost, some
// are killed (and some paused) at random times in the first half of the measured span, and every
// event is noted. Large
// clusters start acquainted instead. What disturbs all at once, a restart, many that join, a
// partition, comes after the span, one after the other, each until all agree again.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/status.h"
#include "base/time.h"
#include "gossip/options.h"
#include "tools/gossip_sim/summary.h"

namespace starling::gossip_sim {

enum class Death : std::uint8_t {
  kProcess,  // kill -9: its host refuses connections.
  kHost,     // Power off: nothing answers.
};

struct SwimOptions {
  std::uint32_t nodes = 100;
  double loss = 0;
  std::uint32_t kill = 1;
  std::uint32_t pause = 0;
  base::Duration pause_for = base::seconds(5);
  base::Duration duration = base::seconds(60);
  std::uint64_t seed = 1;
  Death death = Death::kProcess;
  bool data_connections = false;    // Connections of the killed are reset, and that is reported.
  std::uint32_t one_way = 0;        // Pairs of nodes with one way cut during the span.
  bool restart = false;             // All processes, one after the other, in random order.
  std::uint32_t join = 0;           // New nodes that join at once, through one seed.
  base::Duration partition_for{0};  // Two halves, for so long.
  gossip::GossipOptions gossip{};
  // Called now and then with the share of the span that is over, in [0, 1].
  std::function<void(double)> on_progress{};
};

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
  // Until all agreed: after the last boot, after the joins, after the halves met again.
  std::optional<double> restarted_s, joins_known_s, healed_s;
  std::uint64_t deaths_by_restart = 0;  // (Observer, subject) pairs.
  std::uint64_t trace_hash = 0;
};

// Fails with InvalidArgument on options that make no sense together, naming them, and with
// Timeout if the nodes never all saw each other.
base::Result<SwimReport> RunSwim(const SwimOptions& options);

}  // namespace starling::gossip_sim
