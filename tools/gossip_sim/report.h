// tools/gossip_sim/report.h: results of swim as a table for people, and as JSON for programs.
#pragma once

#include <string>

#include "tools/gossip_sim/swim_sim.h"

namespace starling::gossip_sim {

std::string Table(const SwimOptions& options, const SwimReport& report);

std::string Json(const SwimOptions& options, const SwimReport& report);

}  // namespace starling::gossip_sim
