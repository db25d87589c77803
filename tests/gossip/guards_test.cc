// Goal:   each member has one guard on each circle, whoever comes and goes.
// Method: the guards of whole clusters, side by side.
#include "gossip/guards.h"

#include <map>
#include <set>
#include <vector>

#include "tests/test.h"

namespace starling::gossip {
namespace {

base::HostId SpreadHost(std::uint64_t number) { return {number, ~number}; }

// How often each of `present` is guarded on a circle, by nodes that learned of the others in
// different orders and saw `gone` go.
std::map<base::HostId, int> Guarded(std::size_t circle, const std::vector<std::uint64_t>& present,
                                    const std::vector<std::uint64_t>& gone) {
  std::map<base::HostId, int> counts;
  for (std::size_t self = 0; self < present.size(); ++self) {
    Guards guards(SpreadHost(present[self]), kGuardsMax);
    for (const std::uint64_t other : gone) guards.Present(SpreadHost(other));
    for (std::size_t i = 1; i < present.size(); ++i)
      guards.Present(SpreadHost(present[(self + i) % present.size()]));
    for (const std::uint64_t other : gone) {
      if (!guards.Gone(SpreadHost(other))) continue;
      for (const std::uint64_t host : present) {
        if (host != present[self]) guards.Present(SpreadHost(host));
      }
    }
    REQUIRE(guards.Of(circle).has_value());
    ++counts[*guards.Of(circle)];
  }
  return counts;
}

TEST_SUITE("gossip/guards") {
  TEST_CASE("on each circle every member has exactly one guard, and it is another") {
    const std::vector<std::uint64_t> present = {3, 14, 15, 92, 65, 35, 89, 79};
    for (std::size_t circle = 0; circle < kGuardsMax; ++circle) {
      const std::map<base::HostId, int> counts = Guarded(circle, present, {26, 5, 31});
      EXPECT(counts.size() == present.size());
      for (const std::uint64_t host : present) EXPECT(counts.contains(SpreadHost(host)));
    }
  }

  TEST_CASE("circles differ, or the second guard would be the first") {
    std::set<base::HostId> guarded;
    Guards guards(SpreadHost(1), kGuardsMax);
    for (std::uint64_t other = 2; other < 100; ++other) guards.Present(SpreadHost(other));
    for (std::size_t circle = 0; circle < kGuardsMax; ++circle) guarded.insert(*guards.Of(circle));
    EXPECT(guarded.size() == kGuardsMax);
  }

  TEST_CASE("alone, a node guards nobody; and who was not guarded leaves no gap") {
    Guards guards(SpreadHost(1), kGuardsMax);
    EXPECT(!guards.Of(0));
    EXPECT(!guards.Gone(SpreadHost(2)));
    guards.Present(SpreadHost(2));
    EXPECT(guards.Gone(SpreadHost(2)));
    EXPECT(!guards.Of(0));
  }
}

}  // namespace
}  // namespace starling::gossip
