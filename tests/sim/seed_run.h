// tests/sim/seed_run.h: one seed's run: a storm over a loaded cluster, calm, and what must hold.
//
// Thread:    confined to one thread; runs share nothing.
// Read next: tests/sim/sim_test.cc
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/sim/history.h"

namespace starling::sim {

struct SeedRun {
  std::string failure;  // Empty: all held.
  std::uint64_t trace_hash = 0;
  std::uint64_t events = 0;
  double virtual_seconds = 0;
  std::uint64_t declared_absent = 0;    // Of RunOutages: how often a node was.
  std::uint64_t disks_lost = 0;         // Of RunSeed.
  std::uint64_t entries_in_tables = 0;  // Of what nodes pulled: on their last disks.
  std::uint64_t scans = 0;              // That came to their end, and were looked at.
  History::Summary summary;
};

// At least 60 virtual seconds of storm and 2,000 operations; then it must heal.
SeedRun RunSeed(std::uint64_t seed);

// At least 60 virtual seconds in which one node after the other is away for so long that it may be
// declared absent (docs/purge.md), and 2,000 operations; then it must heal.
SeedRun RunOutages(std::uint64_t seed);

// "seed 7 commit 1a2b3c4 replay: STARLING_SIM_SEED=7 build/bin/test_sim -tc='whatever*'"
std::string HowToReplay(std::uint64_t seed, std::string_view test);

}  // namespace starling::sim
