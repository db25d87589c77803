// tools/stress/plan.h: what a load is to do, from the words of its command line.
//
// Thread:    free functions; resolving a host's name blocks.
// Read next: tools/stress/generator.h.
#pragma once

#include <string>
#include <vector>

#include "base/address.h"
#include "tools/stress/flags.h"
#include "tools/stress/generator.h"

namespace starling::stress {

struct Target {
  std::vector<base::Address> hosts;
  base::Duration timeout{0};
};

struct Plan {
  LoadOptions load;
  Target target;
  std::string described;             // In a line, for reports.
  std::vector<std::string> remarks;  // What the user may not have meant.
};

// Each fails with InvalidArgument, naming the flag, when the words make no sense or contradict each
// other, and with Unavailable when a host's name can't be resolved.
base::Result<Target> PlanTarget(const Options& options);
// REQUIRES: command is kLoad or kRun.
base::Result<Plan> PlanLoad(Command command, const Options& options);

}  // namespace starling::stress
