// Goal:   clusters of real cores agree again after what hurt the users of other implementations.
// Method: many nodes on the virtual network of gossip-sim, with faults, under fixed seeds.
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "tests/gossip/gossip_net.h"
#include "tests/gossip/hand.h"
#include "tests/seeds.h"
#include "tests/stride.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

constexpr std::uint64_t kSeeds = 10;  // Of cases that take a fraction of a second each.

// Who was declared dead by anybody.
struct Deaths {
  explicit Deaths(Cluster& cluster) {
    cluster.net.on_event = [this, &cluster](base::Instant, NodeIndex, const Event& event) {
      if (event.kind == Event::kDead) of.insert(cluster.net.IndexOf(event.member.host));
    };
  }
  std::set<NodeIndex> of;
};

std::uint64_t Conflicts(const Cluster& cluster) {
  std::uint64_t conflicts = 0;
  for (NodeIndex node = 0; node < cluster.net.size(); ++node)
    conflicts += cluster.net.core(node).counters().conflicts;
  return conflicts;
}

// In the name of a member: a stranger is not heard (strangers_test.cc).
std::string Forged(base::HostId from, const Claim& claim) {
  const Message message{.header = {from, 1, 0}, .body = Spread{5}, .claims = {claim}};
  return Encoded(message, NetworkOptions{}.cluster_name.c_str());
}

// How many running nodes, the subject apart, know its newest metadata.
std::size_t Knowing(const Cluster& cluster, NodeIndex subject) {
  const MemberInfo& said = cluster.net.core(subject).self();
  std::size_t knowing = 0;
  for (NodeIndex node = 0; node < cluster.net.size(); ++node) {
    if (node == subject || !cluster.net.running(node)) continue;
    const std::optional<MemberInfo> member = cluster.net.core(node).Find(said.host);
    knowing += member && member->metadata == said.metadata ? 1 : 0;
  }
  return knowing;
}

TEST_SUITE("gossip/cluster") {
  TEST_CASE("nodes that boot at once, with one seed, all see each other within seconds") {
    Cluster cluster(32, {.gossip = {}, .seed = 1, .loss = 0.1});
    EXPECT(cluster.AgreesWithin(base::seconds(5)));
  }

  TEST_CASE("a killed process is dead for all, whether its host refuses or is silent") {
    for (const bool silent : {false, true}) {
      Cluster cluster(16, {.gossip = {}, .seed = 2});
      REQUIRE(cluster.AgreesWithin(base::seconds(5)));
      Deaths deaths(cluster);
      if (silent)
        cluster.net.Unplug(7);
      else
        cluster.net.Kill(7);
      EXPECT(cluster.net.RunUntil(base::seconds(10),
                                  [&] { return cluster.AllSee(7, Liveness::kDead); }));
      EXPECT(deaths.of == std::set<NodeIndex>{7});
    }
  }

  TEST_CASE("F1: of 100 one is restarted at another address: all know in 2 s, without conflict") {
    for (std::uint64_t seed = 1; seed <= 6; seed += Stride()) {
      DOCTEST_CAPTURE(seed);
      Cluster cluster(100, {.gossip = {}, .seed = seed});
      REQUIRE(cluster.AgreesWithin(base::seconds(10)));
      int conflicts = 0;
      cluster.net.on_event = [&](base::Instant, NodeIndex, const Event& event) {
        conflicts += event.kind == Event::kConflict ? 1 : 0;
      };
      base::Random random(seed);
      const auto moved = static_cast<NodeIndex>(random.Between(1, 99));  // Node 0 is its seed.
      const base::Address elsewhere = {0x0b000001, 7700};
      cluster.net.Kill(moved);
      // Of half of the seeds at once; of the others it is dead for all by then.
      if (seed % 2 == 0) cluster.net.RunFor(base::seconds(10));
      EXPECT(cluster.AllSee(moved, Liveness::kDead) == (seed % 2 == 0));
      cluster.net.MoveTo(moved, elsewhere);
      cluster.net.Boot(moved, cluster.seeds);
      const auto all_know = [&] {
        for (NodeIndex node = 0; node < cluster.net.size(); ++node) {
          if (node == moved) continue;
          if (cluster.net.core(node).View(cluster.net.host(moved))->address != elsewhere)
            return false;
        }
        return cluster.net.AllAgree();
      };
      EXPECT(cluster.net.RunUntil(base::seconds(2), all_know));
      EXPECT(conflicts == 0);
      EXPECT(Conflicts(cluster) == 0);
    }
  }

  TEST_CASE("F2: after a restart of all in random order all are alive in 10 s") {
    Worst worst;
    for (std::uint64_t seed = 1; seed <= FromEnvironment("STARLING_SWIM_SEEDS", 20); ++seed) {
      DOCTEST_CAPTURE(seed);
      Cluster cluster(12, {.gossip = {}, .seed = seed});
      REQUIRE(cluster.AgreesWithin(base::seconds(5)));
      std::vector<NodeIndex> order(12);
      std::iota(order.begin(), order.end(), 0);
      base::Random random(seed);
      random.Shuffle(order);
      for (const NodeIndex node : order) {
        cluster.net.Kill(node);
        cluster.net.RunFor(base::milliseconds(random.Between(0, 2000)));
        cluster.net.Boot(node, cluster.seeds);
      }
      const base::Instant began = cluster.net.now();
      EXPECT(cluster.AgreesWithin(base::seconds(10)));
      worst.Note(seed, base::ToSeconds(cluster.net.now() - began));
    }
    DOCTEST_MESSAGE("all agreed at most ", worst.seconds, " s after the last boot, of seed ",
                    worst.seed);
  }

  // One plain packet may say anything of anybody; a forger may go on, and walk round the circle.
  TEST_CASE("F2: whatever is claimed of a member, it has the last word, now and after a restart") {
    constexpr std::uint32_t kLast = std::numeric_limits<std::uint32_t>::max();
    for (const NodeIndex told : {1, 3}) {  // Its subject, or another.
      for (const Liveness liveness : {Liveness::kAlive, Liveness::kDead, Liveness::kLeft}) {
        Cluster cluster(6, {.gossip = {}, .seed = 4});
        REQUIRE(cluster.AgreesWithin(base::seconds(5)));
        for (const std::uint64_t generation :
             {kGenerations / 2, kGenerations - 1, kGenerations / 4 * 3, kGenerations / 4,
              kGenerations - 1}) {
          const Claim claim{.host = cluster.net.host(1),
                            .generation = generation,
                            .incarnation = kLast,
                            .liveness = liveness,
                            .address = cluster.net.address(1)};
          cluster.net.Inject(told, cluster.net.address(2), Forged(cluster.net.host(2), claim));
          cluster.net.RunFor(base::seconds(10));
          EXPECT(cluster.AgreesWithin(base::seconds(20)));
        }
        cluster.net.Kill(1);
        cluster.net.Boot(1, cluster.seeds);
        EXPECT(cluster.AgreesWithin(base::seconds(20)));
        for (NodeIndex node = 0; node < cluster.net.size(); ++node)
          EXPECT(cluster.net.core(node).counters().rejected == 0);
      }
    }
  }

  TEST_CASE("F3: two halves that were apart for an hour are one within 30 s") {
    for (std::uint64_t seed = 1; seed <= kSeeds; seed += Stride()) {
      DOCTEST_CAPTURE(seed);
      Cluster cluster(10, {.gossip = {}, .seed = seed});
      REQUIRE(cluster.AgreesWithin(base::seconds(5)));
      for (NodeIndex node = 5; node < 10; ++node) cluster.net.SetSide(node, 1);
      cluster.net.RunFor(std::chrono::hours(1));
      for (NodeIndex node = 5; node < 10; ++node) EXPECT(cluster.Sees(0, node) == Liveness::kDead);
      cluster.net.Heal();
      EXPECT(cluster.AgreesWithin(base::seconds(30)));
    }
  }

  TEST_CASE("F6, F7: members that were paused wrong nobody when they wake") {
    for (std::uint64_t seed = 1; seed <= kSeeds; seed += Stride()) {
      DOCTEST_CAPTURE(seed);
      Cluster cluster(20, {.gossip = {}, .seed = seed});
      REQUIRE(cluster.AgreesWithin(base::seconds(5)));
      Deaths deaths(cluster);
      for (const std::int64_t seconds : {1, 2, 5, 30, 60}) {
        for (const NodeIndex node : {3, 4}) cluster.net.Pause(node);
        cluster.net.RunFor(base::seconds(seconds));
        for (const NodeIndex node : {3, 4}) cluster.net.Resume(node);
        cluster.net.RunFor(base::seconds(10));
        EXPECT(cluster.net.AllAgree());
      }
      EXPECT(deaths.of == std::set<NodeIndex>{3, 4});  // 30 s are more than they had to refute.
    }
  }

  TEST_CASE(
      "F8: with its datagrams blocked a member stays alive, is shown so, and alarms are few") {
    Cluster cluster(7, {.gossip = {}, .seed = 9});
    REQUIRE(cluster.AgreesWithin(base::seconds(5)));
    cluster.net.RunFor(base::seconds(10));
    std::map<NodeIndex, int> alarms;
    int changes = 0;
    cluster.net.on_event = [&](base::Instant, NodeIndex node, const Event& event) {
      if (event.kind == Event::kStreamOnly)
        ++alarms[node];
      else
        ++changes;
    };
    cluster.net.BlockDatagrams(3, true);
    cluster.net.RunFor(base::seconds(600));
    EXPECT(changes == 0);
    for (NodeIndex node = 0; node < 7; ++node) {
      EXPECT(alarms[node] >= 1);
      EXPECT(alarms[node] <= 2);
      EXPECT(cluster.net.core(node).report().stream_only == (node == 3 ? 6 : 1));
    }
    cluster.net.BlockDatagrams(3, false);
    cluster.net.RunFor(base::seconds(60));
    for (NodeIndex node = 0; node < 7; ++node)
      EXPECT(cluster.net.core(node).report().stream_only == 0);
    EXPECT(changes == 0);
  }

  TEST_CASE("F9: a way that is cut in one direction for 10 minutes kills nobody") {
    for (std::uint64_t seed = 1; seed <= kSeeds; seed += Stride()) {
      DOCTEST_CAPTURE(seed);
      Cluster cluster(7, {.gossip = {}, .seed = seed});
      REQUIRE(cluster.AgreesWithin(base::seconds(5)));
      Deaths deaths(cluster);
      cluster.net.CutOneWay(2, 3);
      cluster.net.RunFor(base::seconds(600));
      EXPECT(deaths.of.empty());
    }
  }

  TEST_CASE("F10: 10 % loss for 10 minutes kills nobody") {
    for (std::uint64_t seed = 1; seed <= kSeeds; seed += Stride()) {
      DOCTEST_CAPTURE(seed);
      Cluster cluster(24, {.gossip = {}, .seed = seed, .loss = 0.1});
      REQUIRE(cluster.AgreesWithin(base::seconds(10)));
      Deaths deaths(cluster);
      cluster.net.RunFor(base::seconds(600));
      EXPECT(deaths.of.empty());
    }
  }

  TEST_CASE("F16: who says goodbye and ends at once has left for all, and is dead for nobody") {
    for (const NodeIndex nodes : {3, 8, 20, 40}) {
      Cluster cluster(nodes, {.gossip = {}, .seed = 8, .loss = 0.1});
      REQUIRE(cluster.AgreesWithin(base::seconds(10)));
      Deaths deaths(cluster);
      cluster.net.With(1, [](Gossip& core, base::Instant now) { core.Leave(now); });
      const bool waits = nodes % 2 == 0;  // As a process does that is not in a hurry.
      EXPECT((!waits || cluster.net.RunUntil(base::seconds(1), [&] {
        return cluster.net.core(1).said_goodbye(cluster.net.now());
      })));
      cluster.net.Kill(1);
      EXPECT(cluster.net.RunUntil(base::seconds(5),
                                  [&] { return cluster.AllSee(1, Liveness::kLeft); }));
      cluster.net.RunFor(base::seconds(10));
      EXPECT(deaths.of.empty());
    }
  }

  TEST_CASE(
      "F18: of two nodes with one identity the lower address gives way, and others see that") {
    Cluster cluster(6, {.gossip = {}, .seed = 10});
    REQUIRE(cluster.AgreesWithin(base::seconds(5)));
    const NodeIndex original = 2;
    const NodeIndex twin = cluster.net.AddTwin(original);
    NodeIndex loser = original, winner = twin;
    SUBCASE("as many boots") {}
    SUBCASE("more boots") {
      cluster.net.Boot(twin, {});
      cluster.net.Kill(twin);
    }
    SUBCASE("the other one has the lower address") {
      cluster.net.MoveTo(twin, {0x09000001, 7700});
      std::swap(loser, winner);
    }
    std::vector<NodeIndex> yielded;
    int accused = 0;
    cluster.net.on_event = [&](base::Instant, NodeIndex node, const Event& event) {
      if (event.kind == Event::kYielded) yielded.push_back(node);
      if (IsAccusation(event.member.liveness)) ++accused;
    };
    cluster.net.Boot(twin, cluster.seeds);
    // As a node does that has served for a while. Until then both may say the very same.
    cluster.net.With(twin, [](Gossip& core, base::Instant now) { core.SetMetadata(now, "load"); });
    cluster.net.RunFor(base::seconds(30));
    EXPECT(yielded == std::vector<NodeIndex>{loser});
    EXPECT(cluster.net.core(loser).yielded());
    EXPECT(!cluster.net.core(winner).yielded());
    EXPECT(accused == 0);
    for (NodeIndex node = 0; node < 6; ++node) {
      if (node == original) continue;
      const std::optional<MemberInfo> member = cluster.net.core(node).Find(cluster.net.host(twin));
      REQUIRE(member.has_value());
      EXPECT(member->liveness == Liveness::kAlive);
      EXPECT(member->address == cluster.net.address(winner));
    }
    const std::uint64_t sent = cluster.net.core(loser).counters().datagrams_out;
    cluster.net.RunFor(base::seconds(30));
    EXPECT(cluster.net.core(loser).counters().datagrams_out == sent);
  }

  TEST_CASE("F21: news reaches all of 3 to 31 nodes at 10 % loss without push-pull") {
    for (NodeIndex nodes = 3; nodes <= 31; ++nodes) {
      Cluster cluster(
          nodes,
          {.gossip = {.push_pull_interval = std::chrono::hours(1)}, .seed = nodes, .loss = 0.1});
      REQUIRE(cluster.AgreesWithin(base::seconds(10)));
      cluster.net.RunFor(base::seconds(30));
      for (int round = 0; round < 10; ++round) {
        cluster.net.With(round % nodes, [&](Gossip& core, base::Instant now) {
          core.SetMetadata(now, "round " + std::to_string(round));
        });
        EXPECT(cluster.net.RunUntil(base::seconds(3),
                                    [&] { return Knowing(cluster, round % nodes) == nodes - 1; }));
      }
    }
  }
}

}  // namespace
}  // namespace starling::gossip
