// Goal:   whatever happens to a cluster, what I1 to I8 promise holds, and it agrees again.
// Method: courses of kills, pauses, loss, duplicates, delays, cuts, partitions, clock steps,
// restarts, goodbyes, and rumors drawn from seeds; half of the clusters seal their packets.
#include "tests/gossip/invariants.h"

#include <cstdlib>

#include "tests/test.h"

namespace starling::gossip {
namespace {

// STARLING_SWIM_SEEDS: how many schedules; 100 if it is not set.
std::uint64_t Seeds() {
  const char* seeds = std::getenv("STARLING_SWIM_SEEDS");
  return seeds == nullptr ? 100 : std::strtoull(seeds, nullptr, 10);
}

TEST_SUITE("gossip/invariants") {
  TEST_CASE("random schedules of faults on 3 to 64 nodes violate nothing") {
    for (std::uint64_t seed = 1; seed <= Seeds(); ++seed) {
      DOCTEST_INFO("seed ", seed);
      EXPECT(PlaySchedule(seed) == "");
    }
  }
}

}  // namespace
}  // namespace starling::gossip
