// tools/gossip_sim/report.h: results as tables for people, and CSV and JSON for programs.
#pragma once

#include <string>
#include <vector>

#include "tools/gossip_sim/rumor_sim.h"
#include "tools/gossip_sim/swim_sim.h"

namespace starling::gossip_sim {

// "Update fully converged to all 50 nodes in 6 rounds." or, of a variant that stops by itself,
// "reached 49 of 50 nodes in 8 rounds."
std::string Verdict(const RumorOptions& options, const RumorRun& run);

std::string Table(const RumorRun& run);
std::string Table(const RumorOptions& options, const std::vector<RumorRun>& runs);
std::string Table(const SwimOptions& options, const SwimReport& report);

// One run: a line a round. Many: a line a run.
std::string Csv(const std::vector<RumorRun>& runs);

std::string Json(const SwimOptions& options, const SwimReport& report);

}  // namespace starling::gossip_sim
