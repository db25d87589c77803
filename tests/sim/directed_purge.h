// tests/sim/directed_purge.h: the schedules that lead to mistakes of purge.
//
// Read next: tests/sim/directed.h, docs/purge.md
#pragma once

#include "tests/sim/directed.h"

namespace starling::sim {

Play DeadReplicaHoldsPurgeUp();
Play UnequalReplicasKeepTheTombstone();
Play LateWriteStaysDeleted();
Play LateHintStaysDeleted();
Play MissedCommitIsAdopted();
Play ScanShowsNothingThatIsPurged();
Play PurgedEntriesLeaveTheTree();
Play FastClockPurgesNothing();

}  // namespace starling::sim
