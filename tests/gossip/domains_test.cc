// Goal:   a verdict that needs two failure domains comes in time, however unlike they are in size;
//         and does need them.
// Method: whole clusters on the virtual network of gossip-sim, a host or two in another domain; a
//         core by hand that was just started.
#include "tests/gossip/gossip_net.h"
#include "tests/gossip/hand.h"
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

// Node 1, just started, was told of 2 to 5, of which 5 is of another domain, and has met nobody.
// Now three of one domain accuse 4.
Liveness ToldOfThreeAccusers(Hand& hand) {
  std::vector<Claim> all;
  for (const std::uint64_t number : {2, 3, 4, 5, 6}) {
    all.push_back(ClaimBy(number));
    all.back().domain = number == 5 ? 2 : 0;
  }
  hand.Learn(At(0), all);
  Claim accused = all[2];
  accused.liveness = Liveness::kSuspect;
  for (const std::uint64_t number : {2, 3, 6}) accused.accusers.Add({ShortId(Host(number)), 0});
  hand.Hear(At(1), 2, Spread{1}, {accused});
  return hand.LivenessOf(4);
}

// A key that is used, while what has no seal is taken too.
Keyring TakesUnsealed() {
  Keyring keyring;
  REQUIRE(keyring.Add(KeyBytes{1}).ok());
  REQUIRE(keyring.Use(Fingerprint(KeyBytes{1})).ok());
  return keyring;
}

TEST_SUITE("gossip/domains") {
  TEST_CASE("a node that was just restarted goes by no single domain's word where all is sealed") {
    SUBCASE("from its start") {
      Hand hand(kQuiet, 7, KeyringOf(1));
      EXPECT(ToldOfThreeAccusers(hand) == Liveness::kSuspect);
    }
    SUBCASE("not while it takes what is not sealed: any member may be invented") {
      Hand hand(kQuiet, 7, TakesUnsealed());
      EXPECT(ToldOfThreeAccusers(hand) == Liveness::kUnreachable);
    }
    SUBCASE("from when it requires seals on") {
      Keyring keyring = TakesUnsealed();
      Hand hand(kQuiet, 7, keyring);
      REQUIRE(keyring.Require().ok());
      hand.core->SetKeyring(keyring);
      EXPECT(ToldOfThreeAccusers(hand) == Liveness::kSuspect);
    }
  }

  TEST_CASE("a silent host is unreachable in 2.5 s also where one domain is a host or two") {
    for (const NodeIndex elsewhere : {1U, 2U}) {
      for (std::uint64_t seed = 1; seed <= 4; ++seed)
        EXPECT(UntilUnreachable(elsewhere, seed) <= base::milliseconds(2500));
    }
  }
}

}  // namespace
}  // namespace starling::gossip
