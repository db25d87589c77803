// tests/sim/directed_absent.h: the schedules of a node that was declared absent and returns.
//
// Read next: tests/sim/directed.h, docs/purge.md
#pragma once

#include "tests/sim/directed.h"

namespace starling::sim {

Play AbsentNodeBringsNothingBack();
Play ReturnedNodeTakesNoOldWrite();
Play ReturnedNodeNeedNotGiveWhatIsRefused();

}  // namespace starling::sim
