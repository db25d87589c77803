// Goal:   a node that was asleep, or late, accuses nobody of it.
// Method: one core driven by hand; its packets are read and answered as peers would.
#include "gossip/prober.h"

#include <functional>

#include "tests/gossip/probing.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

TEST_SUITE("gossip/prober_sleep") {
  TEST_CASE("a timer that fires late fails no probe and raises the score") {
    Hand hand({.push_pull_interval = base::seconds(1000)});
    hand.Knows({2, 3, 4, 5});
    hand.RunTo(At(1000));
    hand.Forget();
    const base::Instant due = hand.core->next_tick();
    const std::uint64_t score = static_cast<std::uint64_t>(hand.core->health_score());
    hand.Do([&](Gossip& core) { core.OnTick(due + base::milliseconds(700)); });
    EXPECT(hand.core->counters().late == 1);
    EXPECT(hand.core->counters().slept == 0);
    EXPECT(hand.core->counters().probes_failed == 0);
    EXPECT(hand.core->health_score() == static_cast<std::int64_t>(score) + 1);
  }

  // A stopped loop may find its sockets before its timers.
  TEST_CASE(
      "whatever is handled first after a stall, no probe fails by it, and the sleep is seen") {
    base::Instant woke;
    std::function<void(Hand&)> first = [](Hand&) {};
    SUBCASE("a refused stream") {}
    SUBCASE("a datagram, and then it") {
      first = [&](Hand& hand) { hand.Hear(woke, 4, Spread{1}); };
    }
    SUBCASE("a request, and then it") {
      first = [&](Hand& hand) {
        (void)hand.Do([&](Gossip& core) { return core.OnStreamRequest(woke, Say(4, Push{})); });
      };
    }
    SUBCASE("an answer, and then it") {
      first = [&](Hand& hand) {
        hand.Do([&](Gossip& core) { core.OnStreamReply(woke, Say(4, Ack{1})); });
      };
    }
    SUBCASE("a lost connection, and then it") {
      first = [&](Hand& hand) {
        hand.Do([&](Gossip& core) { core.ReportConnectionLost(woke, Host(4)); });
      };
    }
    for (const std::int64_t stall_ms : {900, 60000}) {
      Hand hand = Probing({2, 3, 4, 5});
      hand.Do([](Gossip& core) {
        for (const std::uint64_t number : {2, 3})
          core.ReportConnectionLost(At(100000), Host(number));
      });
      hand.RunTo(At(100310));
      woke = At(100310 + stall_ms);
      first(hand);
      hand.Do([&](Gossip& core) {
        core.OnStreamFailed(woke, AddressOf(2), Gossip::StreamFailure::kRefused);
      });
      hand.Do([&](Gossip& core) { core.OnTick(woke); });
      EXPECT(hand.core->counters().probes_failed == 0);
      EXPECT(hand.LivenessOf(3) == Liveness::kAlive);
      EXPECT(hand.core->counters().late == 1);
    }
  }

  TEST_CASE("a sleep is seen by what comes before the timers, once") {
    Hand hand({.push_pull_interval = base::seconds(1000)});
    hand.Knows({2, 3});
    hand.RunTo(At(1000));
    REQUIRE(hand.core->counters().probes > 0);
    hand.Forget();
    hand.Do([](Gossip& core) {
      core.OnStreamFailed(At(61000), AddressOf(2), Gossip::StreamFailure::kRefused);
    });
    for (int i = 0; i < 3; ++i) hand.Hear(At(61000), 2, Spread{1});
    hand.Do([](Gossip& core) { core.OnTick(At(61000)); });
    EXPECT(hand.core->counters().slept == 1);
    EXPECT(hand.core->counters().late == 1);
    EXPECT(hand.core->counters().probes_failed == 0);
    EXPECT(hand.Streams<Sync>().size() == 1);
  }

  TEST_CASE("a process that was asleep fails none of its probes") {
    Hand hand({.push_pull_interval = base::seconds(1000)});
    hand.Knows({2, 3});
    hand.RunTo(At(1000));
    REQUIRE(hand.core->counters().probes > 0);
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
