// Goal:   passing rumors reach everybody by push, within bounds of their own, and are forgotten;
//         they never touch the rumors that are kept.
// Method: drive the store by hand; then clusters of cores on the virtual network.
#include "gossip/passing_rumors.h"

#include <map>
#include <set>

#include "base/hash.h"
#include "tests/gossip/gossip_net.h"
#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

std::string PassingKey(std::uint64_t number) {
  std::string key(1, kPassingMark);
  base::AppendLittle(key, number);
  return key;
}

RumorItem Item(std::uint64_t number, std::uint64_t version, const std::string& payload,
               base::Duration age = {}) {
  return {.key = PassingKey(number),
          .version = version,
          .hash = base::Hash64(payload),
          .payload = payload,
          .age = age};
}

struct PassingStore {
  explicit PassingStore(GossipOptions chosen = {}) : options(chosen) {}

  std::vector<RumorItem> Tell(std::uint64_t nonce, std::size_t others = 100) {
    return rumors.Tell(At(0), nonce,
                       {.bytes_max = 1000, .items_max = 64, .sends_max = 50, .others = others});
  }

  GossipOptions options;
  Outputs outputs;
  Counters counters;
  PassingRumors rumors{options, outputs, counters};
};

TEST_SUITE("gossip/passing_rumors") {
  TEST_CASE("a rumor is told until k contacts in a row knew it, or as many as there are members") {
    for (const std::size_t others : {2, 100}) {
      PassingStore store({.passing_counter_k = 4});
      REQUIRE(store.rumors.Publish(At(0), PassingKey(1), 1, "v"));
      std::uint64_t nonce = 0;
      while (store.rumors.hot()) {
        REQUIRE(store.Tell(++nonce, others).size() == 1);
        REQUIRE(store.rumors.OnFeedback({nonce, 1}));
      }
      EXPECT(nonce == std::min<std::size_t>(others, 4));
      EXPECT(store.Tell(99).empty());
    }
  }

  TEST_CASE("a later version takes the place of one that is told, an older one does not") {
    PassingStore store;
    REQUIRE(store.rumors.Publish(At(0), PassingKey(1), 2, "two"));
    EXPECT(store.rumors.Hear(At(0), Item(1, 1, "one")) == Rumors::Offer::kKnown);
    EXPECT(store.rumors.Hear(At(0), Item(1, 3, "three")) == Rumors::Offer::kTaken);
    const auto told = store.Tell(1);
    REQUIRE(told.size() == 1);
    EXPECT(told[0].payload == "three");
    EXPECT(store.rumors.payload_bytes() == 5);
  }

  TEST_CASE("a burst over the bounds is refused and counted, and changes nothing that is told") {
    PassingStore store({.passing_rumors_max = 10, .passing_bytes_max = 300});
    for (std::uint64_t i = 1; i <= 10; ++i)
      REQUIRE(store.rumors.Publish(At(0), PassingKey(i), 1, "v"));
    EXPECT(!store.rumors.Publish(At(0), PassingKey(11), 1, "v"));
    EXPECT(store.rumors.size() == 10);
    // What is heard is news all the same, though not told on.
    EXPECT(store.rumors.Hear(At(0), Item(12, 1, "v")) == Rumors::Offer::kTaken);
    EXPECT(store.rumors.size() == 10);
    EXPECT(store.counters.passing_refused == 2);
    EXPECT(store.outputs.events.size() == 1);

    PassingStore heavy({.passing_rumors_max = 10, .passing_bytes_max = 300});
    EXPECT(heavy.rumors.Publish(At(0), PassingKey(1), 1, std::string(200, 'v')));
    EXPECT(!heavy.rumors.Publish(At(0), PassingKey(2), 1, std::string(200, 'v')));
    EXPECT(!heavy.rumors.Publish(At(0), PassingKey(3), 1, std::string(2 << 20, 'v')));
  }

  TEST_CASE("what is told no more makes room, and all ends with its lifetime") {
    PassingStore store({.passing_counter_k = 1, .passing_rumors_max = 1});
    REQUIRE(store.rumors.Publish(At(0), PassingKey(1), 1, "v"));
    store.Tell(1);
    store.rumors.OnFeedback({1, 1});
    EXPECT(store.rumors.Publish(At(0), PassingKey(2), 1, "v"));
    EXPECT(store.rumors.size() == 1);
    EXPECT(!store.rumors.Publish(At(9'000), PassingKey(3), 1, "v"));
    EXPECT(store.rumors.Publish(At(10'001), PassingKey(3), 1, "v"));
    // An old one that was forgotten is not begun anew.
    EXPECT(store.rumors.Hear(At(20'000), Item(2, 1, "v", base::seconds(11))) ==
           Rumors::Offer::kKnown);
    EXPECT(store.outputs.events.empty());
  }

  TEST_CASE("a large payload is advertised and handed to who asks") {
    PassingStore store;
    const std::string large(10'000, 'v');
    REQUIRE(store.rumors.Publish(At(0), PassingKey(1), 1, large));
    const auto told = store.Tell(1);
    REQUIRE(told.size() == 1);
    EXPECT(!told[0].payload);
    PassingStore other;
    EXPECT(other.rumors.Hear(At(0), told[0]) == Rumors::Offer::kWanted);
    other.rumors.Pulling(At(0), told[0]);
    EXPECT(other.rumors.Hear(At(1), told[0]) == Rumors::Offer::kPulling);
    const auto fetched = store.rumors.Fetch(told);
    REQUIRE(fetched.size() == 1);
    EXPECT(other.rumors.Hear(At(2), fetched[0]) == Rumors::Offer::kTaken);
    EXPECT(store.rumors.Fetch({Item(7, 1, "")}).empty());
  }
}

// Which nodes heard which rumors.
struct Heard {
  explicit Heard(Cluster& cluster) {
    cluster.net.on_event = [this](base::Instant at, NodeIndex node, const Event& event) {
      if (event.kind != Event::kRumor) return;
      by_key[event.rumor_key].insert(node);
      last = at;
    };
  }
  std::map<std::string, std::set<NodeIndex>> by_key;
  base::Instant last;
};

void Publish(Cluster& cluster, NodeIndex node, const std::string& key, std::string payload) {
  cluster.net.With(node, [&](Gossip& core, base::Instant now) {
    core.PublishPassing(now, key, 1, std::move(payload));
  });
}

TEST_SUITE("gossip/passing_rumors: clusters") {
  TEST_CASE("every one of 31 others hears of 99 % of writes in less than a second") {
    Cluster cluster(32, {.gossip = {}, .seed = 3});
    REQUIRE(cluster.AgreesWithin(base::seconds(30)));
    Heard heard(cluster);
    std::size_t complete = 0;
    base::Duration slowest{};
    for (std::uint64_t i = 1; i <= 300; ++i) {
      const base::Instant began = cluster.net.now();
      // One in ten is pulled.
      Publish(cluster, static_cast<NodeIndex>(i % 32), PassingKey(i),
              std::string(i % 10 == 0 ? 3000 : 100, 'v'));
      cluster.net.RunFor(base::seconds(1));
      if (heard.by_key[PassingKey(i)].size() < 31) continue;
      ++complete;
      slowest = std::max(slowest, heard.last - began);
    }
    DOCTEST_MESSAGE(complete, " of 300 reached all of 32, the slowest in ", base::ToMs(slowest),
                    " ms");
    EXPECT(complete >= 297);
    EXPECT(cluster.net.largest_datagram() <= 1200);
  }

  TEST_CASE("a flood of writes does not keep a topology from anybody") {
    Cluster cluster(8, {.gossip = {}, .seed = 4});
    REQUIRE(cluster.AgreesWithin(base::seconds(30)));
    Heard heard(cluster);
    for (std::uint64_t i = 1; i <= 20'000; ++i)
      Publish(cluster, static_cast<NodeIndex>(i % 8), PassingKey(i), std::string(300, 'v'));
    cluster.net.With(0, [](Gossip& core, base::Instant now) {
      core.Publish(now, "topology", 7, std::string(400, 't'));
    });
    EXPECT(cluster.net.RunUntil(base::seconds(2),
                                [&] { return heard.by_key["topology"].size() == 7; }));
    cluster.net.RunFor(base::seconds(30));  // And the flood ends by itself.
    for (NodeIndex node = 0; node < 8; ++node) {
      const std::uint64_t sent = cluster.net.core(node).counters().passing_sent;
      cluster.net.RunFor(base::seconds(1));
      EXPECT(cluster.net.core(node).counters().passing_sent == sent);
    }
  }
}

}  // namespace
}  // namespace starling::gossip
