// Goal:   silence on all ways makes a member suspect, any answer does not, and sleep accuses
// nobody.
//
// Method: one core driven by hand; its packets are read and answered as peers would.
#include "gossip/prober.h"

#include <set>

#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

// Rounds so rare that only the probes of the test take place.
const GossipOptions kQuiet = {.probe_interval = base::seconds(1000),
                              .push_pull_interval = base::seconds(1000),
                              .dead_contact_interval = base::seconds(1000)};

// A core at rest at 100 s: no round is near.
Hand Probing(std::initializer_list<std::uint64_t> others) {
  Hand hand(kQuiet);
  hand.Knows(others);
  hand.RunTo(At(100000));  // The first round is at a random time; let it pass.
  hand.Forget();
  return hand;
}

TEST_SUITE("gossip/prober") {
  TEST_CASE("every member is probed once in a round of N intervals") {
    Hand hand({.push_pull_interval = base::seconds(1000)});
    hand.Knows({2, 3, 4});
    std::set<base::Address> probed;
    for (int interval = 0; interval < 4 && probed.size() < 3; ++interval) {
      hand.RunTo(At(1000 * (interval + 1)));
      for (const Hand::Sent& sent : hand.Datagrams<Ping>()) {
        probed.insert(sent.to);
        hand.Hear(At(1000 * (interval + 1)), sent.message.header.from == Host(1) ? 2 : 3,
                  Ack{std::get<Ping>(sent.message.body).nonce});
      }
      hand.Forget();
    }
    EXPECT(probed == std::set{AddressOf(2), AddressOf(3), AddressOf(4)});
  }

  TEST_CASE("silence: helpers and a stream at ack_timeout, suspect at three times that") {
    Hand hand({.push_pull_interval = base::seconds(1000)});
    hand.Knows({2});
    hand.RunTo(At(1000));
    REQUIRE(hand.Datagrams<Ping>().size() == 1);
    const Hand::Sent ping = hand.Datagrams<Ping>()[0];
    hand.Hear(At(1000), 3, Spread{1}, {ClaimBy(3), ClaimBy(4), ClaimBy(5), ClaimBy(6)});
    hand.Forget();
    hand.RunTo(At(1301));
    EXPECT(hand.Datagrams<PingRequest>().size() == 3);
    for (const Hand::Sent& request : hand.Datagrams<PingRequest>()) {
      EXPECT(request.to != AddressOf(2));
      EXPECT(std::get<PingRequest>(request.message.body).target == Host(2));
    }
    REQUIRE(hand.Streams<Ping>().size() == 1);
    EXPECT(hand.Streams<Ping>()[0].to == AddressOf(2));
    EXPECT(hand.LivenessOf(2) == Liveness::kAlive);
    hand.RunTo(At(1901));
    EXPECT(hand.LivenessOf(2) == Liveness::kSuspect);
    EXPECT(ping.to == AddressOf(2));
  }

  TEST_CASE("an ack saves a member, by whichever way it comes") {
    Hand hand = Probing({2, 3, 4});
    hand.Do([](Gossip& core) { core.ReportConnectionLost(At(100000), Host(2)); });
    REQUIRE(hand.Datagrams<Ping>().size() == 1);
    const std::uint64_t nonce = std::get<Ping>(hand.Datagrams<Ping>()[0].message.body).nonce;
    hand.RunTo(At(100400));
    SUBCASE("directly, late") { hand.Hear(At(100400), 2, Ack{nonce}); }
    SUBCASE("through a helper") { hand.Hear(At(100400), 3, Ack{nonce}); }
    SUBCASE("over a stream") {
      hand.Do([&](Gossip& core) { core.OnStreamReply(At(100400), Say(2, Ack{nonce})); });
    }
    hand.RunTo(At(102000));
    EXPECT(hand.LivenessOf(2) == Liveness::kAlive);
    EXPECT(hand.core->counters().probes_failed == 0);
  }

  TEST_CASE("other packets of the probed member are no answer: they may be old") {
    Hand hand = Probing({2, 3});
    hand.Do([](Gossip& core) { core.ReportConnectionLost(At(100000), Host(2)); });
    hand.Hear(At(100100), 2, Spread{7});
    hand.Hear(At(100100), 2, Ack{12345});
    hand.RunTo(At(101000));
    EXPECT(hand.LivenessOf(2) == Liveness::kSuspect);
  }

  TEST_CASE(
      "a lost connection starts a ping and a stream at once; a refusal ends it at one timeout") {
    Hand hand = Probing({2, 3});
    hand.Do([](Gossip& core) { core.ReportConnectionLost(At(100000), Host(2)); });
    EXPECT(hand.Datagrams<Ping>().size() == 1);
    EXPECT(hand.Streams<Ping>().size() == 1);
    hand.Do([](Gossip& core) { core.ReportConnectionLost(At(100010), Host(2)); });
    EXPECT(hand.Datagrams<Ping>().size() == 1);  // One probe a host.
    hand.Do([](Gossip& core) {
      core.OnStreamFailed(At(100010), AddressOf(2), Gossip::StreamFailure::kRefused);
    });
    EXPECT(hand.LivenessOf(2) == Liveness::kAlive);
    hand.RunTo(At(100300));
    EXPECT(hand.LivenessOf(2) == Liveness::kSuspect);
    EXPECT(hand.events.back().reason == "no ack, and its port refuses connections");
  }

  TEST_CASE("a stream that fails otherwise says nothing") {
    Hand hand = Probing({2});
    hand.Do([](Gossip& core) { core.ReportConnectionLost(At(100000), Host(2)); });
    hand.Do([](Gossip& core) {
      core.OnStreamFailed(At(100010), AddressOf(2), Gossip::StreamFailure::kOther);
    });
    hand.RunTo(At(100899));
    EXPECT(hand.LivenessOf(2) == Liveness::kAlive);
    hand.RunTo(At(100900));
    EXPECT(hand.LivenessOf(2) == Liveness::kSuspect);
  }

  TEST_CASE("a lost connection to a stranger or to the dead starts nothing") {
    Hand hand = Probing({2});
    hand.Hear(At(100000), 3, Spread{1}, {ClaimBy(2, Liveness::kDead)});
    hand.Forget();
    hand.Do([](Gossip& core) { core.ReportConnectionLost(At(100000), Host(2)); });
    hand.Do([](Gossip& core) { core.ReportConnectionLost(At(100000), Host(77)); });
    EXPECT(hand.Datagrams<Ping>().empty());
  }

  TEST_CASE("a ping is answered, once, and to another node's ping this one is silent") {
    Hand hand = Probing({2});
    hand.Hear(At(100000), 2, Ping{42, Host(1)});
    REQUIRE(hand.datagrams.size() == 1);
    EXPECT(std::get<Ack>(hand.Datagrams<Ack>()[0].message.body).nonce == 42);
    hand.Hear(At(100000), 2, Ping{43, Host(9)});
    EXPECT(hand.datagrams.size() == 1);
    EXPECT(hand.Do([](Gossip& core) {
      return core.OnStreamRequest(At(100000), Say(2, Ping{44, Host(9)}));
    }) == "");
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

  TEST_CASE("endless ping requests don't pile up") {
    Hand hand = Probing({2, 3});
    for (std::uint64_t i = 0; i < 10000; ++i)
      hand.Hear(At(100000), 2, PingRequest{i, Host(3), AddressOf(3)});
    EXPECT(hand.Datagrams<Ping>().size() == 256);
  }

  TEST_CASE("who is not seen as alive is told so when it speaks and when it is pinged") {
    Hand hand = Probing({2, 3});
    hand.Hear(At(100000), 3, Spread{1}, {ClaimBy(2, Liveness::kSuspect)});
    hand.Forget();
    hand.Hear(At(100000), 2, Ping{1, Host(1)});
    REQUIRE(hand.Datagrams<Ack>().size() == 1);
    const std::vector<Claim> claims = hand.Datagrams<Ack>()[0].message.claims;
    REQUIRE(!claims.empty());
    EXPECT(claims[0].host == Host(2));
    EXPECT(claims[0].liveness == Liveness::kSuspect);
    hand.Do([](Gossip& core) { core.ReportConnectionLost(At(100000), Host(2)); });
    REQUIRE(hand.Datagrams<Ping>().size() == 1);
    EXPECT(hand.Datagrams<Ping>()[0].message.claims[0].host == Host(2));
  }

  TEST_CASE("a process that was asleep drops its probes instead of failing them") {
    Hand hand({.push_pull_interval = base::seconds(1000)});
    hand.Knows({2, 3});
    hand.RunTo(At(1000));
    REQUIRE(hand.core->counters().probes == 1);
    hand.Forget();
    hand.Do([](Gossip& core) { core.OnTick(At(61000)); });
    EXPECT(hand.core->counters().slept == 1);
    EXPECT(hand.core->counters().probes_failed == 0);
    EXPECT(hand.LivenessOf(2) == Liveness::kAlive);
    EXPECT(hand.LivenessOf(3) == Liveness::kAlive);
    EXPECT(hand.Streams<Sync>().size() == 1);  // And it asks what it missed.
  }
}

}  // namespace
}  // namespace starling::gossip
