// tools/gossip_sim/rumor_core_sim.h: one rumor through the cores that nodes run, on virtual time.
//
// Each node is a gossip::Rumors, so that 100,000 fit; what is around it in a node is played as
// Spreader, Prober and Comparer do it: a hot rumor goes to `fanout` others at once and then each
// gossip_interval, and so does a digest that changed, twice; each node pings one other each
// probe_interval, with its digest, and is acknowledged; a digest that differs makes its receiver
// compare and pull over a stream. Partners are drawn at random each time, where nodes take turns
// through a list: that is a little worse. Datagrams take 0.2 to 2 ms, streams three times as long
// to open, and only datagrams are lost.
//
// Thread: a free function.
#pragma once

#include <cstdint>

#include "tools/gossip_sim/rumor_sim.h"

namespace starling::gossip_sim {

// A round is a gossip_interval: the first lasts until then. REQUIRES: options.Validate().ok().
RumorRun SpreadThroughCores(const RumorOptions& options, std::uint64_t seed);

}  // namespace starling::gossip_sim
