// Goal:   the newest version of each key is kept, told while it is news, and within limits.
// Method: drive the store by hand, as spreader and exchange do.
#include "gossip/rumors.h"

#include <algorithm>
#include <map>

#include "base/hash.h"
#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

RumorItem Item(const std::string& key, std::uint64_t version, const std::string& payload) {
  return {.key = key, .version = version, .hash = base::Hash64(payload), .payload = payload};
}

RumorItem WithoutPayload(RumorItem item) {
  item.payload.reset();
  return item;
}

struct RumorStore {
  explicit RumorStore(GossipOptions chosen = {}) : options(chosen) {}

  std::vector<RumorItem> Tell(std::uint64_t nonce) { return rumors.Tell(nonce, 1000, 50); }
  // One contact told and its answer.
  void Contact(std::uint64_t nonce, std::uint64_t known) {
    Tell(nonce);
    rumors.OnFeedback({nonce, known});
  }

  GossipOptions options;
  Outputs outputs;
  Counters counters;
  Rumors rumors{options, outputs, counters};
};

TEST_SUITE("gossip/rumors") {
  TEST_CASE("a rumor is told until k contacts in a row knew it") {
    RumorStore store;
    store.rumors.Publish("k", 1, "v");
    store.Contact(1, 0);  // Useful.
    store.Contact(2, 1);
    EXPECT(store.rumors.hot());
    store.Contact(3, 0);  // Useful: the count starts again.
    store.Contact(4, 1);
    EXPECT(store.rumors.hot());
    store.Contact(5, 1);
    EXPECT(!store.rumors.hot());
    EXPECT(store.Tell(6).empty());
    EXPECT(store.counters.rumors_sent == 5);
    EXPECT(store.counters.rumors_useful == 2);
  }

  TEST_CASE("feedback counts once, for the version that was told, and only if we asked") {
    RumorStore store({.rumor_counter_k = 1});
    store.rumors.Publish("k", 1, "old");
    store.Tell(1);
    store.rumors.Publish("k", 2, "new");
    store.rumors.OnFeedback({1, 1});  // They knew the old one.
    EXPECT(store.rumors.hot());
    store.rumors.OnFeedback({99, 1});
    EXPECT(store.rumors.hot());
    store.Tell(2);
    store.rumors.OnFeedback({2, 1});
    store.rumors.OnFeedback({2, 1});
    EXPECT(!store.rumors.hot());
  }

  TEST_CASE("contacts that never answer end a rumor at sends_max") {
    RumorStore store;
    store.rumors.Publish("k", 1, "v");
    for (std::uint64_t nonce = 1; nonce <= 50; ++nonce) EXPECT(store.Tell(nonce).size() == 1);
    EXPECT(!store.rumors.hot());
  }

  TEST_CASE("a higher version replaces; a lower or equal one is known") {
    RumorStore store;
    EXPECT(store.rumors.Hear(At(0), Item("k", 5, "five")) == Rumors::Offer::kTaken);
    EXPECT(store.rumors.Hear(At(0), Item("k", 5, "five")) == Rumors::Offer::kKnown);
    EXPECT(store.rumors.Hear(At(0), Item("k", 4, "four")) == Rumors::Offer::kKnown);
    EXPECT(store.rumors.Hear(At(0), Item("k", 6, "six")) == Rumors::Offer::kTaken);
    REQUIRE(store.outputs.events.size() == 2);
    EXPECT(store.outputs.events[1].kind == Event::kRumor);
    EXPECT(store.outputs.events[1].rumor_key == "k");
    EXPECT(store.outputs.events[1].rumor_version == 6);
    EXPECT(store.outputs.events[1].rumor_payload == "six");
  }

  TEST_CASE("two payloads under one version end the same whichever came first") {
    RumorStore one, two;
    one.rumors.Publish("k", 1, "a");
    (void)one.rumors.Hear(At(0), Item("k", 1, "b"));
    two.rumors.Publish("k", 1, "b");
    (void)two.rumors.Hear(At(0), Item("k", 1, "a"));
    EXPECT(one.rumors.digest() == two.rumors.digest());
    EXPECT(one.rumors.Fetch({{.key = "k"}})[0].payload ==
           two.rumors.Fetch({{.key = "k"}})[0].payload);
  }

  TEST_CASE("publishing gives no event, and an older version changes nothing") {
    RumorStore store;
    store.rumors.Publish("k", 2, "two");
    const std::uint64_t digest = store.rumors.digest();
    store.rumors.Publish("k", 1, "one");
    store.rumors.Publish("k", 2, "two");
    EXPECT(store.rumors.digest() == digest);
    EXPECT(store.outputs.events.empty());
  }

  TEST_CASE("a large payload is advertised, wanted once, and wanted again if it did not come") {
    RumorStore teller, hearer;
    teller.rumors.Publish("big", 1, std::string(20000, 'x'));
    const std::vector<RumorItem> told = teller.Tell(1);
    REQUIRE(told.size() == 1);
    EXPECT(!told[0].payload);

    EXPECT(hearer.rumors.Hear(At(0), told[0]) == Rumors::Offer::kWanted);
    hearer.rumors.Pulling(At(0), told[0]);
    EXPECT(hearer.rumors.Hear(At(100), told[0]) == Rumors::Offer::kPulling);
    EXPECT(hearer.rumors.Hear(At(3000), told[0]) == Rumors::Offer::kWanted);
    const std::vector<RumorItem> fetched = teller.rumors.Fetch(told);
    REQUIRE(fetched.size() == 1);
    EXPECT(hearer.rumors.Hear(At(3000), fetched[0]) == Rumors::Offer::kTaken);
    EXPECT(hearer.rumors.digest() == teller.rumors.digest());
    EXPECT(hearer.rumors.hot());
  }

  TEST_CASE("more rumors than fit in a packet take turns") {
    RumorStore store;
    for (const char* key : {"a", "b", "c", "d"})
      store.rumors.Publish(key, 1, std::string(400, 'x'));
    std::map<std::string, int> told;
    for (std::uint64_t nonce = 1; nonce <= 4; ++nonce) {
      const std::vector<RumorItem> items = store.Tell(nonce);
      EXPECT(items.size() == 2);
      for (const RumorItem& item : items) ++told[item.key];
    }
    for (const auto& [key, times] : told) EXPECT(times == 2);
    EXPECT(told.size() == 4);
  }

  TEST_CASE("beyond rumors_max a new key is refused and counted, a known one is not") {
    RumorStore store({.rumors_max = 1});
    EXPECT(store.rumors.Hear(At(0), Item("a", 1, "x")) == Rumors::Offer::kTaken);
    EXPECT(store.rumors.Hear(At(0), Item("b", 1, "x")) == Rumors::Offer::kKnown);
    EXPECT(store.counters.rejected == 1);
    EXPECT(store.rumors.Hear(At(0), Item("a", 2, "y")) == Rumors::Offer::kTaken);
  }

  TEST_CASE("what another lacks is what it has not, or has older") {
    RumorStore store;
    store.rumors.Publish("same", 1, "x");
    store.rumors.Publish("newer", 5, "y");
    store.rumors.Publish("older", 1, "z");
    store.rumors.Publish("absent", 1, "w");
    const std::vector<RumorItem> theirs = {WithoutPayload(Item("same", 1, "x")),
                                           WithoutPayload(Item("newer", 4, "y4")),
                                           WithoutPayload(Item("older", 2, "z2"))};
    const std::vector<RumorItem> newer = store.rumors.NewerThan(theirs);
    REQUIRE(newer.size() == 2);
    EXPECT(newer[0].key == "absent");
    EXPECT(newer[1].key == "newer");
    EXPECT(newer[1].payload == "y");
  }

  TEST_CASE("a payload of our own that no one would take is rejected and counted") {
    RumorStore store({.rumor_payload_bytes_max = 100});
    store.rumors.Publish("k", 1, std::string(100, 'v'));
    store.rumors.Publish("k", 2, std::string(101, 'v'));
    EXPECT(store.counters.rejected == 1);
    REQUIRE(store.rumors.Advertisements().size() == 1);
    EXPECT(store.rumors.Advertisements()[0].version == 1);
  }

  TEST_CASE("what peers filled the store with leaves room for our own") {
    RumorStore store({.rumors_max = 3});
    for (const char* key : {"a", "b", "c", "d"}) store.rumors.Hear({}, Item(key, 1, "v"));
    EXPECT(store.rumors.Advertisements().size() == 3);
    store.rumors.Publish("ours", 1, "v");
    EXPECT(store.rumors.Advertisements().size() == 4);
  }

  TEST_CASE("the age of a rumor goes on from node to node, and what is old enough is digested") {
    RumorStore one, two;
    one.rumors.Advance(At(10'000));
    one.rumors.Publish("k", 1, "v");
    one.rumors.Advance(At(10'200));
    const std::vector<RumorItem> told = one.Tell(1);
    REQUIRE(told.size() == 1);
    EXPECT(told[0].age == base::milliseconds(200));
    two.rumors.Advance(At(50'000));  // Clocks need not agree.
    (void)two.rumors.Hear(At(50'000), told[0]);
    two.rumors.Advance(At(50'299));
    EXPECT(two.rumors.settled_digest() == 0);
    two.rumors.Advance(At(50'300));
    one.rumors.Advance(At(10'500));
    EXPECT(two.rumors.settled_digest() != 0);
    EXPECT(two.rumors.settled_digest() == one.rumors.settled_digest());
  }

  TEST_CASE("of two stores those buckets differ, and only those, in which something differs") {
    RumorStore one, two;
    for (int i = 0; i < 100; ++i) {
      for (RumorStore* store : {&one, &two}) store->rumors.Publish("k" + std::to_string(i), 1, "v");
    }
    EXPECT(one.rumors.Differing(two.rumors.digests()).empty());
    one.rumors.Publish("more", 1, "v");
    const std::vector<RumorItem> differing = one.rumors.Differing(two.rumors.digests());
    EXPECT(differing.size() < 30);  // About a sixteenth.
    const auto more = [](const RumorItem& item) { return item.key == "more" && !item.payload; };
    EXPECT(std::count_if(differing.begin(), differing.end(), more) == 1);
  }

  TEST_CASE("the bytes to tell are what telling takes, and telling goes on where it was") {
    RumorStore store;
    for (int i = 0; i < 20; ++i) store.rumors.Publish("k" + std::to_string(i), 1, "value");
    for (std::uint64_t nonce = 1; nonce < 10; ++nonce) {
      const std::size_t expected = store.rumors.BytesToTell(300);
      std::size_t told = 0;
      for (const RumorItem& item : store.rumors.Tell(nonce, 300, 50)) told += BytesBound(item);
      EXPECT(told == expected);
      EXPECT(told > 200);
    }
    EXPECT(store.rumors.BytesToTell(10) == 0);
  }

  TEST_CASE("what one message may want is bounded, its keys included") {
    RumorStore store;
    const std::string key(kRumorKeyBytesMax, 'k');
    store.rumors.Publish(key, 1, "v");
    const std::vector<RumorItem> wanted(200'000, {.key = key});
    std::size_t bytes = 0;
    for (const RumorItem& item : store.rumors.Fetch(wanted)) bytes += BytesBound(item);
    EXPECT(bytes <= 4UL << 20);
    EXPECT(bytes > 3UL << 20);
  }
}

}  // namespace
}  // namespace starling::gossip
