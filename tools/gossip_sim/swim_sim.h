// tools/gossip_sim/swim_sim.h: how soon a cluster knows its dead, and whom it wrongs.
//
// N real cores join through up to three seeds; once all see all, datagrams begin to be lost, some
// are killed (and some paused) at random times in the first half of the measured span, and every
// event is noted. Large
// clusters start acquainted instead. What disturbs all at once, a restart, many that join, a
// partition, churn, comes after the span, one after the other, each until all agree again.
#pragma once

#include "base/status.h"
#include "tools/gossip_sim/swim_options.h"
#include "tools/gossip_sim/swim_report.h"

namespace starling::gossip_sim {

// Fails as Check(options) does, and with Timeout if the nodes never all saw each other.
base::Result<SwimReport> RunSwim(const SwimOptions& options);

}  // namespace starling::gossip_sim
