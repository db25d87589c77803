// tools/stress/commands.h: what starling-stress does: load, run and verify.
//
// Thread: blocks its caller.
// Read next: tools/stress/flags.h for what is typed, tools/stress/plan.h for what it means.
#pragma once

#include "tools/stress/flags.h"

namespace starling::stress {

inline constexpr int kExitDone = 0;
inline constexpr int kExitViolated = 1;  // --check or verify found what can't have been.
inline constexpr int kExitFailed = 2;    // Refused, could not begin, or nothing succeeded.

// Returns the exit status, and has printed the reason of a failure to stderr.
int Execute(const Request& request);

}  // namespace starling::stress
