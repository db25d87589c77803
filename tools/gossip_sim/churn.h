// tools/gossip_sim/churn.h: each member ends and starts again once, at a time of its own, and how
// much waits to be told meanwhile.
//
// Thread:    confined to one thread.
// Read next: tools/gossip_sim/swim_sim.h
#pragma once

#include <functional>

#include "base/random.h"
#include "base/time.h"
#include "tools/gossip_sim/network.h"
#include "tools/gossip_sim/swim_report.h"

namespace starling::gossip_sim {

struct ChurnCourse {
  base::Duration within{0};  // In which each ends once; it is down for up to kChurnDownMax.
  base::Duration length{0};  // Only those whose turn comes by then. 0: all.
  std::function<void(base::Duration done)> on_progress{};  // Each second.
  std::function<void(NodeIndex, bool starts)> on_step{};
};

// So that some are started again before they are accused, some on trial, and most dead.
inline constexpr base::Duration kChurnDownMax = base::seconds(10);

// Of all that run: until the last of them was started again.
NewsMax PlayChurn(Network& network, base::Random& random, const ChurnCourse& course);

}  // namespace starling::gossip_sim
