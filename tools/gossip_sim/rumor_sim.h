// tools/gossip_sim/rumor_sim.h: one rumor in synchronous rounds, as the papers count them.
//
// A round: every node that is telling picks its targets uniformly and independently of each
// other, itself and repeats allowed, and all targets know the rumor at the round's end.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "tools/gossip_sim/summary.h"

namespace starling::gossip_sim {

enum class RumorVariant : std::uint8_t {
  kNaive,            // Every node that knows tells, until all know.
  kFeedbackCounter,  // gossip::HotRumor decides when a node stops; some may never hear.
};

struct RumorOptions {
  std::uint32_t nodes = 50;
  std::uint32_t fanout = 2;
  std::uint32_t counter_k = 2;  // Of kFeedbackCounter.
  RumorVariant variant = RumorVariant::kNaive;
};

struct RumorRound {
  std::uint32_t round = 0;
  std::uint32_t infected = 0;  // At its end. Round 0: the one node that starts.
  std::uint64_t messages = 0;  // In it.
};

struct RumorRun {
  std::vector<RumorRound> rounds;  // From 0 on; the last is the one that changed something.
  std::uint32_t infected = 0;
  std::uint64_t messages = 0;  // Of all rounds, those after the last change included.

  std::uint32_t round_count() const { return rounds.back().round; }
};

// REQUIRES: nodes, fanout and counter_k above 0.
RumorRun SpreadRumor(const RumorOptions& options, base::Random& random);

struct RumorStatistics {
  Summary rounds;
  double complete = 0;           // Share of runs that reached all.
  double residue = 0;            // Mean share of nodes that were not reached.
  double messages_per_node = 0;  // Mean.
};
RumorStatistics Summarize(const RumorOptions& options, const std::vector<RumorRun>& runs);

}  // namespace starling::gossip_sim
