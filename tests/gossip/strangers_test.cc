// Goal:   a datagram whose sender nothing speaks for makes no member, moves no verdict, and costs
//         no more than its own bytes and, at most, being asked back over a stream; with a seal, or
//         from a member's own address, it is heard.
// Method: one core by hand and whole clusters; the forger writes what it likes from its address.
#include "tests/gossip/gossip_net.h"
#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

constexpr std::uint64_t kForger = 99;

std::vector<Claim> Invented() {
  std::vector<Claim> claims = {ClaimBy(kForger)};
  for (std::uint64_t number = 200; number < 212; ++number) claims.push_back(ClaimBy(number));
  return claims;
}

TEST_SUITE("gossip/strangers") {
  TEST_CASE("F5: whom a stranger's datagram speaks of is no member, and is sent nothing") {
    const std::vector<Body> bodies = {Spread{1},   Ping{1, Host(1)}, Ack{1},
                                      Farewell{1}, Nack{1},          Confirm{Host(200)}};
    for (const Body& body : bodies) {
      Hand hand;
      hand.Knows({2, 3, 4});
      hand.Forget();
      const std::string forged = Say(kForger, body, Invented());
      hand.Do([&](Gossip& core) { core.OnDatagram(At(10), AddressOf(kForger), forged); });
      hand.RunTo(At(60'000));
      EXPECT(hand.core->members().size() == 3);
      EXPECT(hand.core->counters().strangers == 1);
      std::size_t bytes = 0, streams = 0;
      for (const Hand::Sent& sent : hand.datagrams) {
        const bool to_member = sent.to.ip < AddressOf(5).ip;
        if (!to_member) bytes += sent.bytes;
        EXPECT((to_member || sent.to == AddressOf(kForger)));
      }
      for (const Hand::Sent& sent : hand.streams) {
        const bool to_member = sent.to.ip < AddressOf(5).ip;
        streams += to_member ? 0 : 1;
        EXPECT((to_member || sent.to == AddressOf(kForger)));
      }
      EXPECT(bytes <= forged.size());
      EXPECT(streams <= 1);
    }
  }

  TEST_CASE("its rumors are not heard, nor how it says that this node is seen") {
    Hand hand;
    hand.Knows({2, 3});
    hand.Hear(At(10), kForger, Spread{1}, {},
              {RumorItem{.key = "k", .version = 1, .hash = 0, .payload = "v"}});
    hand.Hear(At(20), kForger, Ack{1, Liveness::kDead, 1, 0});
    EXPECT(hand.core->counters().rumors_taken == 0);
    EXPECT(hand.core->counters().refutations == 0);
    EXPECT(hand.Datagrams<Feedback>().empty());
  }

  TEST_CASE("a member's name is nothing without its address") {
    Hand hand;
    hand.Knows({2, 3});
    const std::string forged = Say(2, Spread{1}, {ClaimBy(3, Liveness::kDead)});
    hand.Do([&](Gossip& core) { core.OnDatagram(At(10), AddressOf(kForger), forged); });
    EXPECT(hand.LivenessOf(3) == Liveness::kAlive);
    hand.Do([&](Gossip& core) { core.OnDatagram(At(10), AddressOf(2), forged); });
    EXPECT(hand.LivenessOf(3) == Liveness::kDead);
  }

  TEST_CASE("who has the key is heard from anywhere; so is anybody by classic members") {
    Hand sealed({}, 7, KeyringOf(1));
    sealed.Hear(At(10), kForger, Spread{1}, Invented());
    EXPECT(sealed.core->members().size() == 13);
    Hand classic({.mode = Mode::kLifeguard});
    classic.Hear(At(10), kForger, Spread{1}, Invented());
    EXPECT(classic.core->members().size() == 13);
  }

  TEST_CASE("a forger who goes on does not keep a killed member from being known as dead") {
    for (const bool as_member : {false, true}) {
      Cluster cluster(3, {.gossip = {}, .seed = 5});
      REQUIRE(cluster.AgreesWithin(base::seconds(5)));
      cluster.net.RunFor(base::seconds(10));
      cluster.net.Kill(2);
      for (int second = 0; second < 20; ++second) {
        for (const NodeIndex node : {0, 1}) {
          const NodeIndex other = 1 - node;
          const Message forged{
              .header = {as_member ? cluster.net.host(other) : Host(kForger), 1, 0},
              .body = Spread{1},
              .claims = Invented()};
          cluster.net.Inject(node, as_member ? cluster.net.address(other) : AddressOf(kForger),
                             Encoded(forged, NetworkOptions{}.cluster_name.c_str()));
        }
        cluster.net.RunFor(base::seconds(1));
      }
      EXPECT(cluster.net.core(0).members().size() == (as_member ? 15 : 2));
      EXPECT(cluster.Sees(0, 2) == Liveness::kDead);
      EXPECT(cluster.Sees(1, 2) == Liveness::kDead);
    }
  }
}

}  // namespace
}  // namespace starling::gossip
