// tools/gossip_sim/command_line.h: a course of events as the words that ask for it, so that who
// holds a report can play it again.
//
// Thread: a free function.
#pragma once

#include <string>

#include "tools/gossip_sim/swim_sim.h"

namespace starling::gossip_sim {

std::string NameOf(gossip::Mode mode);  // As on the command line, and so the next.
std::string NameOf(Wakes wakes);

// "gossip-sim swim --nodes 8 --seed 3 ...", with all that the course depends on.
std::string CommandLine(const SwimOptions& options);

}  // namespace starling::gossip_sim
