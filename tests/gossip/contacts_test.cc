// Goal:   seeds and the dead are called as often as promised, for ever, and nobody else.
// Method: one core driven by hand over long virtual times.
#include "gossip/contacts.h"

#include <map>

#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

const GossipOptions kOnlyContacts = {.probe_interval = base::seconds(1000),
                                     .push_pull_interval = base::seconds(1000)};

std::map<base::Address, int> Called(const std::vector<Hand::Sent>& sent) {
  std::map<base::Address, int> counts;
  for (const Hand::Sent& one : sent) ++counts[one.to];
  return counts;
}

TEST_SUITE("gossip/contacts") {
  TEST_CASE("alone, it calls all seeds every second, and never itself") {
    Hand hand(kOnlyContacts);
    const std::vector<base::Address> seeds = {AddressOf(1), AddressOf(2), AddressOf(3)};
    hand.Do([&](Gossip& core) { core.Join(At(0), seeds); });
    EXPECT(hand.Streams<Sync>().size() == 2);
    hand.RunTo(At(10500));
    EXPECT(Called(hand.Streams<Sync>()) ==
           std::map<base::Address, int>{{AddressOf(2), 11}, {AddressOf(3), 11}});
  }

  TEST_CASE("among others, only seeds that are no members are called, every 5 s") {
    Hand hand(kOnlyContacts);
    const std::vector<base::Address> seeds = {AddressOf(2), AddressOf(3)};
    hand.Do([&](Gossip& core) { core.Join(At(0), seeds); });
    hand.Knows({2});
    hand.RunTo(At(51500));
    const std::map<base::Address, int> called = Called(hand.Streams<Sync>());
    EXPECT(!called.contains(AddressOf(2)));
    EXPECT(called.at(AddressOf(3)) >= 10);
  }

  TEST_CASE("one of the dead is greeted every 5 s, told what is believed of it and who asks") {
    Hand hand(kOnlyContacts);
    hand.Knows({2, 3});
    hand.Hear(At(0), 2, Spread{1}, {ClaimBy(3, Liveness::kDead)});
    hand.RunTo(At(3000));
    hand.Forget();
    hand.RunTo(At(53000));
    const std::vector<Hand::Sent> pings = hand.Datagrams<Ping>();
    EXPECT(pings.size() == 10);
    for (const Hand::Sent& ping : pings) {
      EXPECT(ping.to == AddressOf(3));
      REQUIRE(ping.message.claims.size() >= 2);
      EXPECT(ping.message.claims[0].liveness == Liveness::kDead);
      EXPECT(ping.message.claims[1].host == Host(1));
    }
    EXPECT(hand.LivenessOf(3) == Liveness::kDead);
  }

  TEST_CASE("who left is left alone") {
    Hand hand(kOnlyContacts);
    hand.Knows({2, 3});
    hand.Hear(At(0), 3, Spread{1}, {ClaimBy(3, Liveness::kLeft)});
    hand.RunTo(At(3000));
    hand.Forget();
    hand.RunTo(At(60000));
    EXPECT(hand.Datagrams<Ping>().empty());
  }

  TEST_CASE("the dead that answer are alive again, and are compared with at once") {
    Hand hand(kOnlyContacts);
    hand.Knows({2, 3});
    hand.Hear(At(0), 2, Spread{1}, {ClaimBy(3, Liveness::kDead)});
    hand.RunTo(At(20000));
    hand.Forget();
    hand.Hear(At(20000), 3, Ack{1}, {ClaimBy(3, Liveness::kAlive, 1)});
    EXPECT(hand.LivenessOf(3) == Liveness::kAlive);
    REQUIRE(hand.Streams<Sync>().size() == 1);
    EXPECT(hand.Streams<Sync>()[0].to == AddressOf(3));
  }
}

}  // namespace
}  // namespace starling::gossip
