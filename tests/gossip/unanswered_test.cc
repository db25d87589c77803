// Goal:   a node that others do not understand says so itself, seldom, with what to do.
// Method: a core by hand whose streams bring nothing; a cluster that removes one node's key.
#include "gossip/unanswered.h"

#include <map>

#include "tests/gossip/gossip_net.h"
#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

constexpr KeyBytes kOld = {1}, kNew = {2};

void BringNothing(Hand& hand, std::int64_t ms) {
  hand.Do([&](Gossip& core) { core.OnStreamReply(At(ms), "", AddressOf(3)); });
}

TEST_SUITE("gossip/unanswered") {
  TEST_CASE("five streams in a row without an answer are told of, then once a minute") {
    Hand hand(kQuiet, 7, KeyringOf(1));
    for (std::int64_t ms = 1; ms <= 4; ++ms) BringNothing(hand, ms);
    EXPECT(hand.events.empty());
    EXPECT(hand.core->report().unanswered == 4);
    BringNothing(hand, 5);
    REQUIRE(hand.EventKinds() == std::vector{Event::kUnanswered});
    EXPECT(hand.events[0].member.address == AddressOf(3));
    EXPECT(
        hand.events[0].reason.starts_with("the last 5 streams of this node to others brought no "
                                          "answer, though they were opened: key " +
                                          PrintKeyId(Fingerprint(kOld))));
    for (const std::int64_t ms : {6, 30000, 60004}) BringNothing(hand, ms);
    EXPECT(hand.events.size() == 1);
    BringNothing(hand, 60005);
    REQUIRE(hand.events.size() == 2);
    EXPECT(hand.events[1].reason.starts_with("the last 9 streams"));
  }

  TEST_CASE("an answer in between begins anew, and what cannot be opened is none") {
    Hand hand(kQuiet, 7, KeyringOf(1));
    for (std::int64_t ms = 1; ms <= 4; ++ms) BringNothing(hand, ms);
    const auto answer = [&](std::int64_t ms, const Keyring& keyring) {
      const std::string bytes = Say(3, Ack{0}, {}, {}, kCluster, keyring);
      hand.Do([&](Gossip& core) { core.OnStreamReply(At(ms), bytes, AddressOf(3)); });
    };
    answer(5, KeyringOf(1));
    EXPECT(hand.core->report().unanswered == 0);
    for (std::int64_t ms = 11; ms <= 14; ++ms) BringNothing(hand, ms);
    EXPECT(hand.events.empty());
    answer(15, KeyringOf(2));
    hand.Forget();  // That it cannot be opened.
    BringNothing(hand, 16);
    EXPECT(hand.EventKinds() == std::vector{Event::kUnanswered});
  }

  TEST_CASE("a node that seals with no key is told that seals are required") {
    Hand hand(kQuiet);
    for (std::int64_t ms = 1; ms <= 5; ++ms) BringNothing(hand, ms);
    REQUIRE(hand.events.size() == 1);
    EXPECT(hand.events[0].reason.find("requires seals") != std::string::npos);
    EXPECT(hand.events[0].reason.find("nodetool keyring add") != std::string::npos);
  }

  TEST_CASE("a node that calls itself, by an address of its own among the seeds, is not told so") {
    Hand hand(kQuiet, 7, KeyringOf(1));
    for (std::int64_t ms = 1; ms <= 20; ++ms) {
      const std::string own = Say(1, Sync{1, 1}, {}, {}, kCluster, KeyringOf(1));
      EXPECT(hand.Do([&](Gossip& core) { return core.OnStreamRequest(At(ms), own); }) == "");
      BringNothing(hand, ms);
    }
    EXPECT(hand.events.empty());
    EXPECT(hand.core->report().unanswered == 0);
  }

  TEST_CASE("whose key all others removed says so until it has theirs, and is a member again") {
    Keyring both = KeyringOf(1), theirs;
    REQUIRE(both.Add(kNew).ok());
    Cluster cluster(5, {.gossip = {}, .seed = 6, .keyring = both});
    REQUIRE(cluster.AgreesWithin(base::seconds(10)));
    std::map<NodeIndex, int> told;
    cluster.net.on_event = [&](base::Instant, NodeIndex node, const Event& event) {
      if (event.kind == Event::kUnanswered) ++told[node];
    };
    const auto give = [&](NodeIndex node, const Keyring& keyring) {
      cluster.net.With(node, [&](Gossip& core, base::Instant) { core.SetKeyring(keyring); });
    };
    // It opens what they send, and so nothing else in its log says what is wrong.
    REQUIRE(both.Use(Fingerprint(kNew)).ok());
    theirs = both;
    REQUIRE(theirs.Remove(Fingerprint(kOld)).ok());
    for (const NodeIndex node : {0, 1, 2, 4}) give(node, theirs);
    cluster.net.RunFor(base::seconds(150));
    EXPECT(told == std::map<NodeIndex, int>{{3, 3}});
    EXPECT(cluster.net.core(3).counters().unopened == 0);
    EXPECT(cluster.net.core(3).report().unanswered > 5);
    give(3, theirs);
    cluster.net.RunFor(base::seconds(30));
    EXPECT(told[3] == 3);
    EXPECT(cluster.net.core(3).report().unanswered == 0);
    EXPECT(cluster.net.AllAgree());
  }
}

}  // namespace
}  // namespace starling::gossip
