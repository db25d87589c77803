// tools/gossip_sim/rumor_tally.h: many runs of one rumor, added up as they come.
//
// Memory does not grow with the runs, but for the curves of the first kCurveRunsMax and, of
// starling, a number a run.
//
// Thread:    confined to one thread.
// Read next: tools/gossip_sim/rumor_report.h
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "tools/gossip_sim/rumor_sim.h"
#include "tools/gossip_sim/summary.h"

namespace starling::gossip_sim {

inline constexpr std::size_t kCurveRunsMax = 1000;

struct RumorStatistics {
  std::uint64_t runs = 0;
  Summary rounds;                // Until the last node heard that ever did: t_last is its mean.
  double complete = 0;           // Share of runs that reached all.
  double residue = 0;            // s: mean share of nodes that were not reached.
  double messages_per_node = 0;  // m: mean, in rumors sent.
  double pulled_per_node = 0;    // Of these.
  double rounds_to_hear = 0;     // t_ave: mean.
  Summary seconds;               // As `rounds`, where rounds have a length.
};

// The share of nodes that know at a round's end: mean over runs, and where 5 and 95 % of runs are.
struct CurvePoint {
  std::uint32_t round = 0;
  double mean = 0, low = 0, high = 0;
};

class RumorTally {
 public:
  explicit RumorTally(const RumorOptions& options) : nodes_(options.nodes) {}

  void Add(const RumorRun& run);

  // REQUIRES: a run was added.
  RumorStatistics Statistics() const;
  // How many runs took so many rounds.
  const std::map<std::uint32_t, std::uint64_t>& rounds() const { return rounds_; }
  std::vector<CurvePoint> Curve() const;

 private:
  Summary SummarizeRounds() const;

  double nodes_;
  std::map<std::uint32_t, std::uint64_t> rounds_;
  std::vector<double> seconds_;
  std::vector<std::vector<float>> curves_;  // By run: the share at each round's end.
  // Sums over all runs.
  std::uint64_t runs_ = 0, complete_ = 0;
  double residue_ = 0, messages_ = 0, pulled_ = 0, to_hear_ = 0;
};

}  // namespace starling::gossip_sim
