// Goal:   a verdict that needs two failure domains comes in time, however unlike they are in size.
// Method: whole clusters on the virtual network of gossip-sim, a host or two in another domain.
#include "tests/gossip/gossip_net.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

constexpr NodeIndex kNodes = 64;

// From when a host fell silent until none of the others takes it for alive or a mere suspect.
base::Duration UntilUnreachable(NodeIndex elsewhere, std::uint64_t seed) {
  Network net({.gossip = {}, .seed = seed});
  for (NodeIndex node = 0; node < kNodes; ++node) net.Add("node", node < elsewhere ? 2 : 1);
  net.BootAcquainted();
  net.RunFor(base::seconds(2 * kNodes));  // All have been answered by all: all count as witnesses.
  const NodeIndex subject = kNodes / 2;
  net.Unplug(subject);
  const base::Instant began = net.now();
  const auto known = [&] {
    for (NodeIndex node = 0; node < kNodes; ++node) {
      if (node == subject) continue;
      const Liveness seen = net.core(node).View(net.host(subject))->liveness;
      if (seen == Liveness::kAlive || seen == Liveness::kSuspect) return false;
    }
    return true;
  };
  net.RunUntil(base::seconds(60), known);
  return net.now() - began;
}

TEST_SUITE("gossip/domains") {
  TEST_CASE("a silent host is unreachable in 2.5 s also where one domain is a host or two") {
    for (const NodeIndex elsewhere : {1U, 2U}) {
      for (std::uint64_t seed = 1; seed <= 4; ++seed)
        EXPECT(UntilUnreachable(elsewhere, seed) <= base::milliseconds(2500));
    }
  }
}

}  // namespace
}  // namespace starling::gossip
