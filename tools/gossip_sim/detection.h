// tools/gossip_sim/detection.h: what became of each member in the eyes of the others.
//
// Thread:    confined to one thread.
// Read next: tools/gossip_sim/swim_sim.h
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "gossip/outputs.h"
#include "tools/gossip_sim/network.h"
#include "tools/gossip_sim/swim_report.h"

namespace starling::gossip_sim {

// Whether it says how a member is seen.
bool IsBelief(gossip::Event::Kind kind);

class Detection {
 public:
  explicit Detection(std::uint32_t nodes) : fates_(nodes) {}

  void Killed(NodeIndex node, base::Instant now);
  void Paused(NodeIndex node) { fates_[node].paused = true; }
  void Note(base::Instant now, NodeIndex observer, NodeIndex subject, const gossip::Event& event);

  // The times and the false verdicts of a report.
  void Fill(SwimReport& report) const;

 private:
  using Times = std::vector<std::optional<base::Instant>>;  // By observer.
  struct Fate {
    std::optional<base::Instant> killed_at;
    bool paused = false;
    Times suspected_at, unreachable_at, dead_at;
  };
  // From the first to the last observer.
  struct Span {
    std::optional<base::Instant> first, last;
    bool all = true;
  };

  Span SpanOf(const Times& times) const;

  std::vector<Fate> fates_;
  std::uint64_t false_deaths_healthy_ = 0;
  std::uint64_t false_deaths_paused_ = 0;
  std::uint64_t false_unreachable_healthy_ = 0;
};

}  // namespace starling::gossip_sim
