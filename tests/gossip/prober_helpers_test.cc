// Goal:   others are asked before a member is accused, and what they say or leave unsaid counts.
// Method: one core driven by hand; its packets are read and answered as peers would.
#include "gossip/prober.h"

#include <set>
#include <vector>

#include "tests/gossip/probing.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

// A probe of member 2 that has come to its helpers; the nack that each of them may send.
Nack AskHelpersAbout2(Hand& hand) {
  hand.Do([](Gossip& core) { core.ReportConnectionLost(At(100000), Host(2)); });
  hand.RunTo(At(100300));
  const std::vector<Hand::Sent> requests = hand.Datagrams<PingRequest>();
  REQUIRE(requests.size() == 3);
  hand.RunTo(At(100550));
  return Nack{std::get<PingRequest>(requests[0].message.body).nonce};
}

TEST_SUITE("gossip/prober_helpers") {
  TEST_CASE("a helper pings twice before it says nack") {
    Hand hand = Probing({2, 3});
    hand.Hear(At(100000), 3, PingRequest{77, Host(2), AddressOf(2)});
    EXPECT(hand.Datagrams<Ping>().size() == 1);
    hand.RunTo(At(100119));
    EXPECT(hand.Datagrams<Ping>().size() == 1);
    hand.RunTo(At(100239));
    EXPECT(hand.Datagrams<Ping>().size() == 2);
    EXPECT(hand.Datagrams<Nack>().empty());
    hand.RunTo(At(102000));
    EXPECT(hand.Datagrams<Ping>().size() == 2);
    EXPECT(hand.Datagrams<Nack>().size() == 1);
  }

  TEST_CASE("a helper pings in another's place and passes on the ack, and only that one") {
    Hand hand = Probing({2, 3});
    hand.Hear(At(100000), 2, PingRequest{5, Host(3), AddressOf(3)});
    REQUIRE(hand.Datagrams<Ping>().size() == 1);
    const Hand::Sent ping = hand.Datagrams<Ping>()[0];
    EXPECT(ping.to == AddressOf(3));
    const std::uint64_t nonce = std::get<Ping>(ping.message.body).nonce;
    hand.Forget();
    hand.Hear(At(100010), 3, Ack{nonce + 1});
    EXPECT(hand.datagrams.empty());
    hand.Hear(At(100010), 3, Ack{nonce});
    hand.Hear(At(100010), 3, Ack{nonce});
    REQUIRE(hand.datagrams.size() == 1);
    EXPECT(hand.datagrams[0].to == AddressOf(2));
    EXPECT(std::get<Ack>(hand.Datagrams<Ack>()[0].message.body).nonce == 5);
  }

  TEST_CASE("a helper that hears nothing either says so in time, once") {
    Hand hand = Probing({2, 3});
    hand.Hear(At(100000), 2, PingRequest{5, Host(3), AddressOf(3)});
    hand.RunTo(At(100239));
    EXPECT(hand.Datagrams<Nack>().empty());
    hand.RunTo(At(101000));
    REQUIRE(hand.Datagrams<Nack>().size() == 1);
    EXPECT(hand.Datagrams<Nack>()[0].to == AddressOf(2));
    EXPECT(std::get<Nack>(hand.Datagrams<Nack>()[0].message.body).nonce == 5);
  }

  // As seed 673 of the random schedules had it: a process that was stopped answers what waited.
  TEST_CASE("who answers a ping for another long after is not declared dead by the helper") {
    Hand hand = Probing({2, 3, 4, 5});
    hand.Hear(At(100000), 3, PingRequest{77, Host(2), AddressOf(2)});
    const std::uint64_t nonce = std::get<Ping>(hand.Datagrams<Ping>()[0].message.body).nonce;
    Claim accusation = ClaimBy(2, Liveness::kSuspect);
    for (const std::uint64_t accuser : {3, 4, 5})
      accusation.accusers.Add({ShortId(Host(accuser)), 0});
    hand.Hear(At(100000), 3, Spread{1}, {accusation});
    REQUIRE(hand.LivenessOf(2) == Liveness::kUnreachable);
    hand.RunTo(At(102000));
    hand.Hear(At(102000), 4, PingRequest{78, Host(5), AddressOf(5)});
    hand.RunTo(At(103900));
    bool answers = true;
    SUBCASE("it does") {}
    SUBCASE("it does not") { answers = false; }
    if (answers) hand.Hear(At(103900), 2, Ack{nonce});
    hand.RunTo(At(105000));
    EXPECT(hand.LivenessOf(2) == (answers ? Liveness::kUnreachable : Liveness::kDead));
  }

  TEST_CASE("once all helpers heard nothing the member is accused, and they are witnesses") {
    Hand hand = Probing({2, 3, 4, 5});
    const Nack nack = AskHelpersAbout2(hand);
    for (const std::uint64_t helper : {3, 4}) hand.Hear(At(100550), helper, nack);
    hand.RunTo(At(100560));
    EXPECT(hand.LivenessOf(2) == Liveness::kAlive);
    hand.Hear(At(100560), 5, nack);
    hand.RunTo(At(100561));
    EXPECT(hand.LivenessOf(2) == Liveness::kUnreachable);
    EXPECT(hand.core->health_score() == 0);  // They answered: this node is well connected.
    EXPECT(hand.events[0].reason == "no ack within 560 ms, directly or through others");
    EXPECT(hand.Datagrams<Confirm>().empty());
  }

  TEST_CASE(
      "a helper is one witness, however often its nack comes, and who was not asked is none") {
    Hand hand = Probing({2, 3, 4, 5});
    const Nack nack = AskHelpersAbout2(hand);
    for (int copy = 0; copy < 3; ++copy) hand.Hear(At(100550), 3, nack);
    for (const std::uint64_t stranger : {2, 66, 67}) hand.Hear(At(100550), stranger, nack);
    hand.RunTo(At(100899));
    EXPECT(hand.core->counters().nacks == 1);
    EXPECT(hand.LivenessOf(2) == Liveness::kAlive);  // Two may still have heard it.
    hand.RunTo(At(100901));
    EXPECT(hand.LivenessOf(2) == Liveness::kSuspect);  // Of two accusers, not three.
    EXPECT(hand.core->health_score() == 2);
  }

  TEST_CASE("helpers that say nothing at all speak against this node") {
    Hand hand = Probing({2, 3, 4, 5});
    hand.Do([](Gossip& core) { core.ReportConnectionLost(At(100000), Host(2)); });
    hand.RunTo(At(100900));
    EXPECT(hand.LivenessOf(2) == Liveness::kSuspect);
    EXPECT(hand.core->health_score() == 3);
  }

  TEST_CASE("the first to accuse asks others to probe now") {
    Hand hand = Probing({2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
    hand.Do([](Gossip& core) { core.ReportConnectionLost(At(100000), Host(2)); });
    hand.RunTo(At(100900));
    const std::vector<Hand::Sent> confirms = hand.Datagrams<Confirm>();
    REQUIRE(confirms.size() == 8);
    std::set<base::Address> asked;
    for (const Hand::Sent& confirm : confirms) {
      asked.insert(confirm.to);
      EXPECT(std::get<Confirm>(confirm.message.body).target == Host(2));
      REQUIRE(!confirm.message.claims.empty());
      EXPECT(confirm.message.claims[0].accusers.size() == 1);
    }
    EXPECT(asked.size() == 8);
    EXPECT(!asked.contains(AddressOf(2)));
  }

  TEST_CASE("who is asked to confirm probes at once and accuses after one ack_timeout") {
    Hand hand = Probing({2, 3, 4, 5});
    Claim accusation = ClaimBy(2, Liveness::kSuspect);
    accusation.accusers.Add({ShortId(Host(3)), 0});
    hand.Hear(At(100000), 3, Confirm{Host(2)}, {accusation});
    REQUIRE(hand.Datagrams<Ping>().size() == 1);
    EXPECT(hand.Datagrams<Ping>()[0].message.claims[0].liveness == Liveness::kSuspect);
    EXPECT(hand.Streams<Ping>().size() == 1);
    SUBCASE("silence") {
      hand.RunTo(At(100400));
      const std::vector<Hand::Sent> told = hand.Datagrams<Spread>();
      REQUIRE(!told.empty());
      EXPECT(told.back().message.claims[0].accusers.size() == 2);
      EXPECT(hand.Datagrams<Confirm>().empty());  // Only the first accuser asks.
    }
    SUBCASE("a refusal, at once") {
      hand.Do([](Gossip& core) {
        core.OnStreamFailed(At(100001), AddressOf(2), Gossip::StreamFailure::kRefused);
      });
      EXPECT(hand.core->counters().probes_failed == 1);
    }
    SUBCASE("an answer") {
      hand.Hear(At(100100), 2, Ack{std::get<Ping>(hand.Datagrams<Ping>()[0].message.body).nonce});
      hand.RunTo(At(100900));
      EXPECT(hand.core->counters().probes_failed == 0);
    }
  }

  TEST_CASE("endless ping requests don't pile up") {
    Hand hand = Probing({2, 3});
    for (std::uint64_t i = 0; i < 10000; ++i)
      hand.Hear(At(100000), 2, PingRequest{i, Host(3), AddressOf(3)});
    EXPECT(hand.Datagrams<Ping>().size() == 256);
  }
}

}  // namespace
}  // namespace starling::gossip
