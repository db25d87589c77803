// Goal:   no more probes are under way than there is room for, whatever happens at once.
// Method: the table by itself, and a core whose connections to all members break in one moment.
#include "gossip/probes.h"

#include <cstdint>
#include <vector>

#include "tests/gossip/probing.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

Probe ProbeOf(std::uint64_t n) {
  return {.nonce = 1000 + n,
          .host = Host(n),
          .generation = 1,
          .address = AddressOf(n),
          .began = {},
          .helpers_at = {},
          .again_at = {},
          .again_gap = {},
          .fails_at = {}};
}

TEST_SUITE("gossip/probes") {
  TEST_CASE("it is full at kMax, and the end of any one makes room for another") {
    Probes probes;
    for (std::uint64_t n = 1; n <= Probes::kMax; ++n) {
      REQUIRE(!probes.full());
      probes.Add(ProbeOf(n));
    }
    EXPECT(probes.full());
    const Probe* const kept = probes.Of(Host(7));
    EXPECT(probes.End(probes.Of(Host(5))).nonce == 1005);
    EXPECT(!probes.full());
    EXPECT(probes.Of(Host(5)) == nullptr);
    EXPECT(probes.ByNonce(1005) == nullptr);
    const Probe& added = probes.Add(ProbeOf(100));
    EXPECT(probes.full());
    EXPECT(probes.Of(Host(100)) == &added);
    // Nobody else moved, and they are in the order of their beginnings.
    EXPECT(probes.Of(Host(7)) == kept);
    EXPECT(probes.all().front()->host == Host(1));
    EXPECT(probes.all().back()->host == Host(100));
  }

  TEST_CASE("of more connections that break at once than that, as many are probed as have room") {
    std::vector<std::uint64_t> others;
    for (std::uint64_t n = 2; n < 2 + Probes::kMax + 10; ++n) others.push_back(n);
    Hand hand(kQuiet);
    for (const std::uint64_t n : others) hand.Knows({n});
    hand.RunTo(At(100000));
    hand.Forget();
    hand.Do([&](Gossip& core) {
      for (const std::uint64_t n : others) core.ReportConnectionLost(At(100000), Host(n));
    });
    EXPECT(hand.Streams<Ping>().size() == Probes::kMax);
    // All end, and then there is room for the others.
    hand.RunTo(At(110000));
    hand.Forget();
    hand.Do([&](Gossip& core) {
      for (std::uint64_t n = others.back(); n > others.back() - 10; --n)
        core.ReportConnectionLost(At(110000), Host(n));
    });
    EXPECT(hand.Streams<Ping>().size() == 10);
  }
}

}  // namespace
}  // namespace starling::gossip
