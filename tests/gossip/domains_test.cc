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

// The first hosts are in another failure domain than all others. All start at once, each knowing
// all others, as after a power cut.
struct Domains {
  NodeIndex elsewhere = 1;
  std::uint64_t seed = 1;
  Keyring keyring{};
};
Network Started(const Domains& domains) {
  Network net({.gossip = {}, .seed = domains.seed, .keyring = domains.keyring});
  for (NodeIndex node = 0; node < kNodes; ++node) net.Add("node", node < domains.elsewhere ? 2 : 1);
  net.BootAcquainted();
  return net;
}

// From when a host fell silent until none of the others takes it for alive or a mere suspect.
base::Duration UntilUnreachable(Network& net) {
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

// How many verdicts there are on a host that its whole failure domain has lost within a second of
// the start, while the one host of the other domain and it hear each other.
int VerdictsOfOneDomain(Network& net) {
  const NodeIndex subject = kNodes / 2;
  int verdicts = 0;
  net.on_event = [&](base::Instant, NodeIndex, const Event& event) {
    verdicts += event.kind == Event::kUnreachable || event.kind == Event::kDead ? 1 : 0;
  };
  for (NodeIndex node = 1; node < kNodes; ++node) {
    if (node == subject) continue;
    net.CutOneWay(node, subject);
    net.CutOneWay(subject, node);
  }
  net.RunFor(base::seconds(10));
  return verdicts;
}

// Three hosts of a third domain that are nowhere, alive and of an incarnation that none outbids: in
// a plain packet in the name of a member.
std::string Invented(const Network& net, std::uint32_t incarnation) {
  Message message{.header = {net.host(1), 1, 0}, .body = Spread{5}};
  for (const std::uint64_t number : {100, 101, 102}) {
    Claim claim = ClaimBy(number, Liveness::kAlive, incarnation);
    claim.domain = 3;
    message.claims.push_back(claim);
  }
  return Encoded(message, NetworkOptions{}.cluster_name.c_str());
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
      for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        Network net = Started({elsewhere, seed});
        net.RunFor(base::seconds(2 * kNodes));  // All have been answered by all: all are met.
        EXPECT(UntilUnreachable(net) <= base::milliseconds(2500));
      }
    }
  }

  TEST_CASE("where seals are required it is so just after the start, when few have met") {
    for (const NodeIndex elsewhere : {1U, 2U}) {
      for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        DOCTEST_CAPTURE(seed);
        Network net = Started({elsewhere, seed, KeyringOf(1)});
        net.RunFor(base::milliseconds(500));
        EXPECT(UntilUnreachable(net) <= base::milliseconds(2500));
      }
    }
  }

  TEST_CASE("and no verdict is of one domain, which is not so where packets have no seal") {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      DOCTEST_CAPTURE(seed);
      Network sealed = Started({.seed = seed, .keyring = KeyringOf(1)});
      EXPECT(VerdictsOfOneDomain(sealed) == 0);
      // Those who have met nobody of the other domain don't wait for its word.
      Network plain = Started({.seed = seed});
      EXPECT(VerdictsOfOneDomain(plain) > 0);
    }
  }

  TEST_CASE("without seals a verdict waits for no stranger's word, however often it is named") {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      DOCTEST_CAPTURE(seed);
      Network net = Started({.elsewhere = 0, .seed = seed});
      net.RunFor(base::seconds(2));
      const NodeIndex subject = kNodes / 2;
      net.Unplug(subject);
      for (std::uint32_t tenth = 1; tenth <= 25; ++tenth) {
        for (NodeIndex node = 0; node < kNodes; ++node) {
          if (node != subject) net.Inject(node, net.address(1), Invented(net, 100 * tenth));
        }
        net.RunFor(base::milliseconds(100));
      }
      for (NodeIndex node = 0; node < kNodes; ++node) {
        if (node == subject) continue;
        EXPECT(net.core(node).View(Host(100))->liveness == Liveness::kAlive);
        EXPECT(net.core(node).View(net.host(subject))->liveness == Liveness::kUnreachable);
      }
    }
  }
}

}  // namespace
}  // namespace starling::gossip
