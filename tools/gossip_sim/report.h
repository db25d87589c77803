// tools/gossip_sim/report.h: results of swim as a table and plots for people, and as JSON
// and CSV for programs.
#pragma once

#include <string>
#include <vector>

#include "tools/gossip_sim/swim_sim.h"

namespace starling::gossip_sim {

struct SwimPlayed {
  SwimOptions options;
  SwimReport report;
};

std::string Table(const SwimOptions& options, const SwimReport& report);

// Of one an object; of many an array of them. `command` plays it again. Each distribution has the
// number of deaths that it is of, and of those that are missing since not all noticed them within
// the span; its samples are there to be put together with those of other seeds. What was waited for
// has whether all agreed in time: null if it was not asked for.
std::string Json(const SwimOptions& options, const SwimReport& report);
std::string Json(const std::vector<SwimPlayed>& played);

// A line for each, with the fields of Json(); of each distribution six, as in first_dead_s_p99,
// and nothing where there is none.
std::string Csv(const std::vector<SwimPlayed>& played);

// Of one, the share of deaths that were noticed by each time; of many, traffic and detection over
// the number of nodes. REQUIRES: at least one.
std::string Svg(const std::vector<SwimPlayed>& played);

}  // namespace starling::gossip_sim
