// Goal:   silence on all ways makes a member suspect, and any answer does not.
// Method: one core driven by hand; its packets are read and answered as peers would.
#include "gossip/prober.h"

#include <map>
#include <set>
#include <vector>

#include "tests/gossip/probing.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

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
    Hand hand({.guards = 0, .push_pull_interval = base::seconds(1000)});
    hand.Knows({2});
    hand.RunTo(At(1000));
    REQUIRE(hand.Datagrams<Ping>().size() == 1);
    const Hand::Sent ping = hand.Datagrams<Ping>()[0];
    hand.Learn(At(1000), {ClaimBy(3), ClaimBy(4), ClaimBy(5), ClaimBy(6)});
    hand.Forget();
    hand.RunTo(At(1301));
    EXPECT(hand.Datagrams<Ping>().size() >= 1);  // And once more, in case the first was lost.
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

  TEST_CASE(
      "a silent member is pinged again three times an ack_timeout, till it answers or fails") {
    Hand hand = Probing({2, 3, 4, 5});
    hand.Do([](Gossip& core) { core.ReportConnectionLost(At(100000), Host(2)); });
    const auto pings = [&] {
      std::size_t count = 0;
      for (const Hand::Sent& sent : hand.Datagrams<Ping>())
        count += sent.to == AddressOf(2) ? 1 : 0;
      return count;
    };
    hand.RunTo(At(100299));
    EXPECT(pings() == 1);
    hand.RunTo(At(100599));
    EXPECT(pings() == 4);
    SUBCASE("silent to the end") {
      hand.RunTo(At(100899));
      EXPECT(pings() == 7);
      hand.RunTo(At(101500));
      EXPECT(pings() == 7);
      EXPECT(hand.LivenessOf(2) == Liveness::kSuspect);
    }
    SUBCASE("all pings are of one nonce: an ack of any ends it") {
      const std::vector<Hand::Sent> sent = hand.Datagrams<Ping>();
      EXPECT(std::get<Ping>(sent.front().message.body).nonce ==
             std::get<Ping>(sent.back().message.body).nonce);
      hand.Hear(At(100600), 2, Ack{std::get<Ping>(sent.back().message.body).nonce});
      hand.RunTo(At(101500));
      EXPECT(pings() == 4);
      EXPECT(hand.LivenessOf(2) == Liveness::kAlive);
    }
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

  TEST_CASE("an ack that comes after the probe failed gives the accused its whole time again") {
    Hand hand = Probing({2, 3, 4, 5});
    hand.Do([](Gossip& core) { core.ReportConnectionLost(At(100000), Host(2)); });
    const std::uint64_t nonce = std::get<Ping>(hand.Datagrams<Ping>()[0].message.body).nonce;
    hand.RunTo(At(101000));
    Claim others = ClaimBy(2, Liveness::kSuspect);
    for (const std::uint64_t accuser : {3, 4}) others.accusers.Add({ShortId(Host(accuser)), 0});
    hand.Hear(At(101000), 3, Spread{1}, {others});
    REQUIRE(hand.LivenessOf(2) == Liveness::kUnreachable);
    hand.Hear(At(104000), 2, Ack{nonce});
    hand.RunTo(At(107900));
    EXPECT(hand.LivenessOf(2) == Liveness::kUnreachable);
    hand.RunTo(At(108100));
    EXPECT(hand.LivenessOf(2) == Liveness::kDead);
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
    EXPECT(hand.core->Name(hand.events.back().accusers) == "10.0.0.1:7700");
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
    EXPECT(hand.LivenessOf(2) == Liveness::kUnreachable);
  }

  TEST_CASE("a stream that came to nothing at once is asked for once more, with the helpers") {
    Hand hand = Probing({2, 3, 4});
    const auto fail = [&](int ms, Gossip::StreamFailure failure) {
      hand.Do([&](Gossip& core) { core.OnStreamFailed(At(ms), AddressOf(2), failure); });
    };
    hand.Do([](Gossip& core) { core.ReportConnectionLost(At(100000), Host(2)); });
    fail(100000, Gossip::StreamFailure::kOther);
    hand.RunTo(At(100299));
    EXPECT(hand.Streams<Ping>().size() == 1);
    hand.RunTo(At(100300));
    REQUIRE(hand.Streams<Ping>().size() == 2);
    EXPECT(hand.Streams<Ping>()[1].to == AddressOf(2));
    SUBCASE("and its refusal ends the probe") {
      fail(100301, Gossip::StreamFailure::kRefused);
      EXPECT(hand.LivenessOf(2) == Liveness::kSuspect);
      EXPECT(hand.events.back().reason == "no ack, and its port refuses connections");
    }
    SUBCASE("but no third time, and it says nothing again") {
      fail(100301, Gossip::StreamFailure::kOther);
      hand.RunTo(At(100899));
      EXPECT(hand.Streams<Ping>().size() == 2);
      EXPECT(hand.LivenessOf(2) == Liveness::kAlive);
    }
  }

  TEST_CASE("a lost connection to a stranger or to the dead starts nothing") {
    Hand hand = Probing({2, 3});
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

  TEST_CASE("guards probe their members every interval, beside the turn of all") {
    Hand hand({.guards = 2, .push_pull_interval = base::seconds(1000)});
    hand.Knows({2, 3, 4, 5, 6, 7, 8, 9});
    std::map<base::Address, int> pings;
    for (int tenth = 1; tenth <= 160; ++tenth) {
      hand.RunTo(At(100 * tenth));
      for (const Hand::Sent& sent : hand.Datagrams<Ping>()) {
        ++pings[sent.to];
        hand.Hear(At(100 * tenth), 2, Ack{std::get<Ping>(sent.message.body).nonce});
      }
      hand.Forget();
    }
    int guarded = 0;
    for (const auto& [address, count] : pings) guarded += count >= 16 ? 1 : 0;
    EXPECT(guarded == 2);
    EXPECT(pings.size() == 8);
  }

  TEST_CASE("plain SWIM neither nacks, nor confirms, nor tells the accused") {
    GossipOptions swim = kQuiet;
    swim.mode = Mode::kSwim;
    Hand hand(swim);
    hand.Knows({2, 3, 4});
    hand.Hear(At(0), 2, PingRequest{5, Host(3), AddressOf(3)});
    hand.RunTo(At(2000));
    EXPECT(hand.Datagrams<Nack>().empty());
    hand.Hear(At(2000), 3, Spread{1}, {ClaimBy(4, Liveness::kSuspect)});
    hand.RunTo(At(9000));
    hand.Forget();
    hand.Hear(At(9000), 4, Ping{1, Host(1)});
    EXPECT(hand.Datagrams<Ack>()[0].message.claims.empty());
    EXPECT(std::get<Ack>(hand.Datagrams<Ack>()[0].message.body).seen_as == Liveness::kAlive);
    hand.Hear(At(9000), 2, Confirm{Host(3)});
    EXPECT(hand.Datagrams<Ping>().empty());
  }

  TEST_CASE("who is not seen as alive is told so when it speaks and when it is pinged") {
    Hand hand = Probing({2, 3});
    hand.Hear(At(100000), 3, Spread{1}, {ClaimBy(2, Liveness::kSuspect)});
    hand.Forget();
    hand.Hear(At(100000), 2, Ping{1, Host(1)});
    REQUIRE(hand.Datagrams<Ack>().size() == 1);
    const Ack ack = std::get<Ack>(hand.Datagrams<Ack>()[0].message.body);
    EXPECT(ack.seen_as == Liveness::kSuspect);
    EXPECT(ack.generation == 1);
    hand.Do([](Gossip& core) { core.ReportConnectionLost(At(100000), Host(2)); });
    REQUIRE(hand.Datagrams<Ping>().size() == 1);
    EXPECT(hand.Datagrams<Ping>()[0].message.claims[0].host == Host(2));
  }

  TEST_CASE("who speaks with older words than are told in its name hears the newer ones at once") {
    Hand hand = Probing({2, 3});
    hand.Hear(At(100001), 3, Spread{1}, {ClaimBy(2, Liveness::kAlive, 5)});
    hand.Forget();
    hand.Hear(At(100002), 2, Ping{77, Host(1)});  // Of incarnation 0.
    REQUIRE(hand.Datagrams<Ack>().size() == 1);
    const Message ack = hand.Datagrams<Ack>()[0].message;
    const Ack& said = std::get<Ack>(ack.body);
    EXPECT(said.seen_as == Liveness::kAlive);
    EXPECT(said.generation == 1);
    EXPECT(said.incarnation == 5);
  }
}

}  // namespace
}  // namespace starling::gossip
