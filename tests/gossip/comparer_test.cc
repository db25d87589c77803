// Goal:   what push left out is pulled where digests show it, and nothing is pulled on its way.
// Method: two cores by hand, and clusters on the virtual network whose push-pull never comes.
#include "gossip/comparer.h"

#include "base/hash.h"
#include "tests/gossip/gossip_net.h"
#include "tests/gossip/hand.h"
#include "tests/stride.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

const GossipOptions kNoPushPull = {.push_pull_interval = std::chrono::hours(1)};

RumorItem Item(const std::string& key, const std::string& payload) {
  return {.key = key, .version = 1, .hash = base::Hash64(payload), .payload = payload};
}

// A packet of node 2 that says this digest.
void HearDigest(Hand& hand, base::Instant now, std::uint64_t digest) {
  const Message message{.header = {Host(2), 1, 0, digest}, .body = Ack{1}};
  hand.core->OnDatagram(now, AddressOf(2), Encoded(message));
  hand.Do([](Gossip&) {});
}

Hand IdleComparer() {
  Hand hand({.probe_interval = base::seconds(1000),
             .push_pull_interval = base::seconds(10),
             .dead_contact_interval = base::seconds(1000)});
  hand.Knows({2, 3});
  return hand;
}

// How many nodes heard `key`, the publisher included.
struct Hearing {
  Hearing(Cluster& cluster, std::string key) {
    cluster.net.on_event = [this, key = std::move(key)](base::Instant, NodeIndex,
                                                        const Event& event) {
      if (event.kind == Event::kRumor && event.rumor_key == key) ++nodes;
    };
  }
  NodeIndex nodes = 1;
};

std::uint64_t StreamsOut(const Cluster& cluster) {
  std::uint64_t streams = 0;
  for (NodeIndex node = 0; node < cluster.net.size(); ++node)
    streams += cluster.net.core(node).counters().streams_out;
  return streams;
}

TEST_SUITE("gossip/comparer") {
  TEST_CASE("a packet that says no digest, for want of rumors or of room, starts no comparison") {
    Hand having = IdleComparer();
    having.Do([](Gossip& core) { core.Publish(At(1), "k", 1, "v"); });
    having.RunTo(At(5000));
    HearDigest(having, At(5000), 0);
    EXPECT(having.Streams<RumorSync>().empty());
    HearDigest(having, At(5001), 77);  // And does not put off those that are for something.
    EXPECT(having.Streams<RumorSync>().size() == 1);
  }

  TEST_CASE("another digest makes a node ask for what is in the buckets that differ, and pull it") {
    Hand lacking = IdleComparer();
    Hand having = IdleComparer();
    having.Do([](Gossip& core) { core.Publish(At(1), "k", 1, "v"); });
    having.RunTo(At(5000));
    HearDigest(lacking, At(5000), DigestOf("k", {1, base::Hash64("v")}));
    REQUIRE(lacking.Streams<RumorSync>().size() == 1);
    EXPECT(lacking.Streams<RumorSync>()[0].to == AddressOf(2));

    const std::string request = Say(2, lacking.Streams<RumorSync>()[0].message.body);
    const std::string state =
        having.Do([&](Gossip& core) { return core.OnStreamRequest(At(5000), request); });
    const Message answer = Opened(state);
    REQUIRE(std::holds_alternative<RumorState>(answer.body));
    REQUIRE(answer.rumors.size() == 1);
    EXPECT(!answer.rumors[0].payload);
    EXPECT(answer.rumors[0].age == base::milliseconds(4999));

    lacking.Do([&](Gossip& core) {
      core.OnStreamReply(At(5001), Say(2, RumorState{}, {}, answer.rumors));
    });
    REQUIRE(lacking.Streams<Pull>().size() == 1);
    EXPECT(lacking.Streams<Pull>()[0].message.rumors[0].key == "k");
  }

  TEST_CASE("equal digests, strangers, and rumors that are on their way start nothing") {
    Hand hand = IdleComparer();
    hand.Hear(At(1), 2, Spread{1}, {}, {Item("k", "v")});
    const std::uint64_t digest = DigestOf("k", {1, base::Hash64("v")});
    HearDigest(hand, At(2), digest);  // Its clock is ahead.
    HearDigest(hand, At(600), 0);     // Behind.
    HearDigest(hand, At(9000), digest);
    EXPECT(hand.Streams<RumorSync>().empty());
    const Message stranger{.header = {Host(9), 1, 0, 5}, .body = Ack{1}};
    hand.core->OnDatagram(At(9000), AddressOf(9), Encoded(stranger));
    hand.Do([](Gossip&) {});
    EXPECT(hand.Streams<RumorSync>().empty());
    HearDigest(hand, At(9000), 77);
    EXPECT(hand.Streams<RumorSync>().size() == 1);
  }

  TEST_CASE("a difference that comparing does not end is looked for ever more seldom") {
    Hand hand = IdleComparer();
    std::vector<std::size_t> asked_by;
    for (std::int64_t ms = 0; ms <= 100'000; ms += 10) {
      HearDigest(hand, At(ms), 77);
      if (ms == 1000 || ms == 10'000 || ms == 100'000)
        asked_by.push_back(hand.Streams<RumorSync>().size());
    }
    // At 0, 1, 3, 7, 15 s, and then every 10 s, as push-pull does.
    EXPECT(asked_by == std::vector<std::size_t>{2, 4, 13});
  }

  // Without a stream's lost first packets it is the 5 s; those are sent again after 1 s, and 2.
  TEST_CASE("a rumor reaches all of 64 nodes at 20 % loss within 5 s, or 10, without push-pull") {
    int late = 0;
    for (std::uint64_t seed = 1; seed <= 30; seed += Stride()) {
      Cluster cluster(64, {.gossip = kNoPushPull, .seed = seed});
      REQUIRE(cluster.AgreesWithin(base::seconds(30)));
      cluster.net.RunFor(base::seconds(30));
      cluster.net.SetLoss(0.2);
      Hearing hearing(cluster, "k");
      cluster.net.With(0, [](Gossip& core, base::Instant now) { core.Publish(now, "k", 1, "v"); });
      if (cluster.net.RunUntil(base::seconds(5), [&] { return hearing.nodes == 64; })) continue;
      ++late;
      EXPECT(cluster.net.RunUntil(base::seconds(5), [&] { return hearing.nodes == 64; }));
    }
    EXPECT(late <= 2);
  }

  TEST_CASE("who was paused while a rumor went round has it a second after it wakes") {
    Cluster cluster(16, {.gossip = kNoPushPull, .seed = 3});
    REQUIRE(cluster.AgreesWithin(base::seconds(10)));
    cluster.net.RunFor(base::seconds(30));
    cluster.net.SetSide(7, 1);  // Not for long enough to be dead.
    Hearing hearing(cluster, "k");
    cluster.net.With(0, [](Gossip& core, base::Instant now) { core.Publish(now, "k", 1, "v"); });
    REQUIRE(cluster.net.RunUntil(base::milliseconds(1900), [&] { return hearing.nodes == 15; }));
    cluster.net.Heal();
    EXPECT(cluster.net.RunUntil(base::seconds(2), [&] { return hearing.nodes == 16; }));
  }

  // 20 a second, of 64 keys, from all nodes: at any moment some are on their way. They are told for
  // so long that push leaves nobody out, so that any comparison is for nothing. With news all the
  // time each hop waits for an interval, so that push takes longer than the default lag: then pull
  // helps it, and is bounded.
  TEST_CASE("a stream of rumors makes no stream of comparisons, thanks to the lag") {
    for (const std::int64_t lag_ms : {1000, 500, 1}) {
      GossipOptions options = kNoPushPull;
      options.rumor_counter_k = 6;
      options.rumor_digest_lag = base::milliseconds(lag_ms);
      Cluster cluster(16, {.gossip = options, .seed = 4});
      REQUIRE(cluster.AgreesWithin(base::seconds(10)));
      cluster.net.RunFor(base::seconds(30));
      const std::uint64_t before = StreamsOut(cluster);
      for (std::uint64_t i = 1; i <= 400; ++i) {
        cluster.net.With(static_cast<NodeIndex>(i % 16), [i](Gossip& core, base::Instant now) {
          core.Publish(now, "k" + std::to_string(i % 64), i, "value");
        });
        cluster.net.RunFor(base::milliseconds(50));
      }
      const std::uint64_t streams = StreamsOut(cluster) - before;
      if (lag_ms == 1000) EXPECT(streams < 20);
      if (lag_ms == 1) EXPECT(streams > 200);
      EXPECT(streams <= std::uint64_t{16} * 21 * 2);  // A comparison and a pull a second and node.
    }
  }
}

}  // namespace
}  // namespace starling::gossip
