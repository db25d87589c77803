// Goal:   who leaves is known to have left before its process ends, or after 5 s it ends anyway.
// Method: one core driven by hand.
#include "gossip/goodbye.h"

#include <set>

#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

Hand Leaving(std::uint64_t last) {
  Hand hand(kQuiet);
  std::vector<Claim> claims;
  for (std::uint64_t number = 2; number <= last; ++number) claims.push_back(ClaimBy(number));
  hand.Learn(At(0), claims);
  hand.RunTo(At(100000));
  hand.Forget();
  hand.Do([](Gossip& core) { core.Leave(At(100000)); });
  return hand;
}

std::set<base::Address> Told(const Hand& hand) {
  std::set<base::Address> told;
  for (const Hand::Sent& sent : hand.Datagrams<Farewell>()) {
    REQUIRE(sent.message.claims.size() == 1);
    EXPECT(sent.message.claims[0].host == Host(1));
    EXPECT(sent.message.claims[0].liveness == Liveness::kLeft);
    told.insert(sent.to);
  }
  return told;
}

std::uint64_t NonceOf(const Hand& hand) {
  return std::get<Farewell>(hand.Datagrams<Farewell>()[0].message.body).nonce;
}

TEST_SUITE("gossip/goodbye") {
  TEST_CASE("a goodbye goes at once to as many as news would, eight at least, each once") {
    EXPECT(Told(Leaving(6)).size() == 5);
    EXPECT(Told(Leaving(9)).size() == 8);
    EXPECT(Told(Leaving(31)).size() == 30);
    EXPECT(Told(Leaving(100)).size() == 32);
  }

  TEST_CASE("three that heard it are enough, and one that says so thrice is not three") {
    Hand hand = Leaving(12);
    const Ack ack{NonceOf(hand)};
    for (int time = 0; time < 3; ++time) hand.Hear(At(100010), 2, ack);
    hand.Hear(At(100010), 3, ack);
    hand.Hear(At(100010), 4, Ack{ack.nonce + 2});
    EXPECT(!hand.core->said_goodbye(At(100010)));
    hand.Hear(At(100010), 4, ack);
    EXPECT(hand.core->said_goodbye(At(100010)));
    hand.Forget();
    hand.RunTo(At(100300));
    EXPECT(hand.Datagrams<Farewell>().empty());
  }

  TEST_CASE("without answers it is said to further members, until 5 s are over") {
    Hand hand = Leaving(100);
    hand.Forget();
    hand.RunTo(At(104999));
    EXPECT(Told(hand).size() == 68 + 4);  // 24 rounds of three, on through the list.
    EXPECT(!hand.core->said_goodbye(At(104999)));
    EXPECT(hand.core->said_goodbye(At(105000)));
  }

  TEST_CASE("of two others both are enough, and alone there is nobody to tell") {
    Hand hand = Leaving(3);
    hand.Hear(At(100010), 2, Ack{NonceOf(hand)});
    EXPECT(!hand.core->said_goodbye(At(100010)));
    hand.Hear(At(100010), 3, Ack{NonceOf(hand)});
    EXPECT(hand.core->said_goodbye(At(100010)));
    Hand alone(kQuiet);
    EXPECT(!alone.core->said_goodbye(At(0)));  // It is not leaving.
    alone.Do([](Gossip& core) { core.Leave(At(0)); });
    EXPECT(alone.core->said_goodbye(At(0)));
  }

  TEST_CASE("a member that is told answers, and holds the sender for gone") {
    Hand hand(kQuiet);
    hand.Knows({2, 3});
    hand.Hear(At(0), 2, Farewell{77}, {ClaimBy(2, Liveness::kLeft)});
    REQUIRE(hand.Datagrams<Ack>().size() == 1);
    EXPECT(std::get<Ack>(hand.Datagrams<Ack>()[0].message.body).nonce == 77);
    EXPECT(hand.LivenessOf(2) == Liveness::kLeft);
  }

  TEST_CASE("who has left is not revived by its own generation, whoever says so") {
    Hand hand(kQuiet);
    hand.Knows({2, 3});
    hand.Hear(At(0), 2, Farewell{77}, {ClaimBy(2, Liveness::kLeft, 4)});
    hand.Hear(At(1), 3, Spread{1}, {ClaimBy(2, Liveness::kAlive, 99)});
    hand.Hear(At(2), 2, Spread{1}, {ClaimBy(2, Liveness::kAlive, 100)});
    EXPECT(hand.LivenessOf(2) == Liveness::kLeft);
    hand.Hear(At(3), 2, Spread{1}, {ClaimBy(2, Liveness::kAlive, 0, 2)});
    EXPECT(hand.LivenessOf(2) == Liveness::kAlive);
  }
}

}  // namespace
}  // namespace starling::gossip
