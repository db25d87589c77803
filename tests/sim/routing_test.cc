// Goal:   requests go around a member once others confirm that it is silent, not at one node's
// word,
//         and a member that comes and goes all the time causes no storm (F24).
//
// Method: whole nodes on a calm network; a forged accusation, pauses, and kills.
#include <fmt/core.h>

#include <utility>

#include "gossip/codec.h"
#include "gossip/envelope.h"
#include "server/flap_guard.h"
#include "tests/sim/admin_answer.h"
#include "tests/sim/calm.h"
#include "tests/sim/cluster.h"
#include "tests/sim/sender.h"
#include "tests/stride.h"
#include "tests/test.h"

namespace starling::sim {
namespace {

using base::milliseconds;
using base::seconds;

// Tells node `to` that some host of its cluster found `accused` silent, as in a lossy network.
// Each accusation of a test is a round of its own.
void Accuse(Cluster& cluster, std::uint32_t to, std::uint32_t accused, std::uint32_t round = 1) {
  const topology::Topology& topology = *cluster.SnapshotOf(to)->topology;
  const auto host_of = [&](std::uint32_t node) {
    for (const topology::Node& each : topology.nodes)
      if (each.cluster == cluster.AddressOf(node)) return each.host;
    return base::HostId{};
  };
  // All else as it says itself.
  const std::string metadata = cluster.GossipOf(to).Find(host_of(accused))->metadata;
  gossip::Claim claim{.host = host_of(accused),
                      .generation = 1,
                      .incarnation = 1000 * round,  // Higher than it has come to by itself.
                      .liveness = gossip::Liveness::kSuspect,
                      .address = cluster.AddressOf(accused),
                      .metadata = metadata};
  claim.accusers.Add({.id = 4711, .domain = 1});
  std::uint32_t other = 0;
  while (other == to || other == accused || !cluster.up(other)) ++other;
  gossip::Message message{.header = {host_of(other), 1, 0}, .body = gossip::Spread{1}};
  message.claims = {claim};
  gossip::Envelope envelope(fmt::format("sim/{}", topology.cluster_id.ToString()), {}, {});
  std::string bytes;
  envelope.Begin(std::nullopt, bytes);
  gossip::Encode(message, bytes);
  envelope.Close(std::nullopt, bytes);
  const std::uint32_t forger_ip = 0x7f000900 + round;
  Sender sender(cluster.sim().AddHost(forger_ip));
  cluster.sim().RunFor(milliseconds(1));
  sender.Bind({forger_ip, 7700});
  sender.ForgeSender(cluster.AddressOf(other));  // A stranger would not be heard.
  sender.datagrams.emplace_back(cluster.AddressOf(to), bytes);
  sender.SendDatagrams();
  cluster.sim().RunFor(milliseconds(5));
}

bool Routes(const Cluster& cluster, std::uint32_t from, std::uint32_t to) {
  const server::SnapshotPtr snapshot = cluster.SnapshotOf(from);
  for (std::size_t i = 0; i < snapshot->peers.size(); ++i)
    if (snapshot->node(i).cluster == cluster.AddressOf(to)) return snapshot->peers[i].up;
  return false;
}

// It is reachable, and is not used yet all the same.
bool Holds(const Cluster& cluster, std::uint32_t at, std::uint32_t node) {
  const server::SnapshotPtr snapshot = cluster.SnapshotOf(at);
  for (std::size_t i = 0; i < snapshot->peers.size(); ++i)
    if (snapshot->node(i).cluster == cluster.AddressOf(node)) return snapshot->peers[i].held;
  return false;
}

gossip::Liveness Sees(Cluster& cluster, std::uint32_t from, std::uint32_t to) {
  gossip::Liveness liveness = gossip::Liveness::kLeft;
  cluster.GossipOf(from).ForEach([&](const gossip::Member& member) {
    if (member.address == cluster.AddressOf(to)) liveness = member.liveness;
  });
  return liveness;
}

// Five calm nodes that see each other.
template <typename Play>
void ForTenSeeds(Play&& play) {
  for (std::uint64_t seed = 1; seed <= 10; seed += Stride()) {
    DOCTEST_CAPTURE(seed);
    ClusterOptions options = Calm(5);
    options.seed = seed;
    Cluster cluster(options);
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    play(cluster);
  }
}

TEST_SUITE("sim/routing") {
  TEST_CASE("a put that needs a falsely suspected replica is tried, not refused") {
    Cluster cluster(Calm(5));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    const auto replicas = cluster.ReplicasOf("key");
    REQUIRE(replicas.size() == 3);
    const std::uint32_t coordinator = replicas[0], suspect = replicas[1], dead = replicas[2];
    cluster.Kill(dead);
    REQUIRE(cluster.sim().Await(seconds(10), [&] { return !Routes(cluster, coordinator, dead); }));
    cluster.host(suspect).Pause(milliseconds(500));  // So that it cannot refute yet.
    Accuse(cluster, coordinator, suspect);
    REQUIRE(Sees(cluster, coordinator, suspect) == gossip::Liveness::kSuspect);
    const auto put = cluster.watcher(coordinator).Put("key", cluster.history().NextValue());
    const Record& record = cluster.Await(put);
    EXPECT(record.status.ok());
    EXPECT(cluster.StoredValue(suspect, "key").has_value());  // Sent to it, not kept as a hint.
  }

  TEST_CASE("a suspicion that is refuted changes no snapshot; one that is confirmed does") {
    Cluster cluster(Calm(5));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    cluster.sim().RunFor(seconds(10));
    const server::SnapshotPtr before = cluster.SnapshotOf(0);
    for (const std::uint32_t round : {1, 2, 3}) {
      Accuse(cluster, 0, 1, round);
      cluster.sim().RunFor(seconds(2));
    }
    EXPECT(cluster.SnapshotOf(0) == before);
    cluster.host(1).Pause(seconds(30));
    EXPECT(cluster.sim().Await(milliseconds(2500), [&] { return !Routes(cluster, 0, 1); }));
  }

  TEST_CASE("a killed process gets no requests within a second, by its broken connections") {
    Cluster cluster(Calm(5));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    cluster.sim().RunFor(seconds(5));
    cluster.Kill(1);
    EXPECT(cluster.sim().Await(seconds(1), [&] {
      return !Routes(cluster, 0, 1) && !Routes(cluster, 2, 1) && !Routes(cluster, 3, 1);
    }));
  }

  TEST_CASE("F9: who cannot reach a member reads around it within a second, and nobody is dead") {
    ForTenSeeds([](Cluster& cluster) {
      cluster.sim().RunFor(seconds(5));
      const auto replicas = cluster.ReplicasOf("key");
      const std::uint32_t coordinator = replicas[0];
      std::uint32_t cut_off = replicas[1], other = replicas[2];
      const auto put = cluster.watcher(coordinator).Put("key", cluster.history().NextValue());
      REQUIRE(cluster.Await(put).status.ok());
      const auto get_takes = [&] {
        const base::Instant began = cluster.sim().now();
        const auto get = cluster.watcher(coordinator).Get("key");
        const Record& record = cluster.history().record(get);
        EXPECT(cluster.sim().Await(seconds(10), [&] { return record.done; }));
        EXPECT(record.status.ok());
        return cluster.sim().now() - began;
      };
      constexpr base::Duration kAtOnce = milliseconds(20);
      // It is to be the one of the two that is asked first, without which a get takes longer.
      cluster.sim().CutOneWay(cluster.host(coordinator), cluster.host(cut_off));
      if (get_takes() < kAtOnce) {
        cluster.sim().HealOneWay(cluster.host(coordinator), cluster.host(cut_off));
        std::swap(cut_off, other);
        cluster.sim().CutOneWay(cluster.host(coordinator), cluster.host(cut_off));
        EXPECT(get_takes() > kAtOnce);
      }
      const base::Instant cut = cluster.sim().now();
      while (cluster.sim().now() < cut + seconds(60)) {
        const base::Duration took = get_takes();
        EXPECT((took < kAtOnce || cluster.sim().now() < cut + seconds(1)));
        for (std::uint32_t node = 0; node < cluster.size(); ++node)
          for (const std::uint32_t accused : {coordinator, cut_off})
            EXPECT((node == accused || !gossip::IsGone(Sees(cluster, node, accused))));
        cluster.sim().RunFor(milliseconds(100));
      }
      cluster.sim().HealOneWay(cluster.host(coordinator), cluster.host(cut_off));
      // It is asked now and then, and so is soon the first again, which shows when the other is
      // away.
      const base::Instant healed = cluster.sim().now();
      while (cluster.sim().now() < healed + seconds(5)) {
        EXPECT(get_takes() < kAtOnce);
        cluster.sim().RunFor(milliseconds(100));
      }
      cluster.host(other).Pause(milliseconds(200));
      EXPECT(get_takes() < kAtOnce);
    });
  }

  TEST_CASE("F24: a member that comes and goes for three minutes is used again few times") {
    Cluster cluster(Calm(5));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    const std::uint64_t epoch = cluster.SnapshotOf(0)->topology->epoch;
    int returns = 0, pauses = 0, failed = 0;
    bool routed = true;
    Sender asker(cluster.sim().AddHost(0x7f000900));
    for (pauses = 0; pauses < 30; ++pauses) {
      cluster.host(1).Pause(seconds(3));
      for (int tick = 0; tick < 60; ++tick) {
        cluster.sim().RunFor(milliseconds(100));
        const bool now_routed = Routes(cluster, 0, 1);
        returns += now_routed && !routed ? 1 : 0;
        routed = now_routed;
      }
      const auto put = cluster.watcher(0).Put("key", cluster.history().NextValue());
      failed += cluster.Await(put).status.ok() ? 0 : 1;
    }
    // Up in `status`, and not down in what waits for it.
    REQUIRE(!Routes(cluster, 0, 1));
    REQUIRE(Sees(cluster, 0, 1) == gossip::Liveness::kAlive);
    const std::string waiting = AnswerOf(cluster, asker, 0, "purgestatus");
    EXPECT(waiting.find("127.0.0.2: it fell silent again and again") != std::string::npos);
    EXPECT(waiting.find("it is down") == std::string::npos);
    EXPECT(returns >= 2);
    EXPECT(returns <= 8);
    EXPECT(failed == 0);
    EXPECT(cluster.SnapshotOf(0)->topology->epoch == epoch);
    // And it is forgiven.
    EXPECT(cluster.sim().Await(seconds(30), [&] { return Routes(cluster, 0, 1); }));
  }

  // The hold begins and ends between two of the node's ticks, and nothing is heard of the member
  // afterwards: what was published last is all that says that it is to be looked at again.
  TEST_CASE("F24: who is held while this node is stopped is used once it goes on") {
    ForTenSeeds([](Cluster& cluster) {
      for (int fall = 0; fall <= server::FlapGuard::kFallsFree; ++fall) {
        cluster.host(1).Pause(seconds(3));
        REQUIRE(cluster.sim().Await(seconds(5), [&] { return !Routes(cluster, 0, 1); }));
        // Up to the turn in which it is heard again.
        REQUIRE(cluster.sim().Await(seconds(5),
                                    [&] { return Holds(cluster, 0, 1) || Routes(cluster, 0, 1); }));
      }
      REQUIRE(Holds(cluster, 0, 1));
      cluster.host(0).Pause(server::FlapGuard::kHoldMin + seconds(1));
      EXPECT(cluster.sim().Await(seconds(10), [&] { return Routes(cluster, 0, 1); }));
    });
  }

  TEST_CASE("a member that comes and goes is needed all the same while another one is down") {
    Cluster cluster(Calm(3));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    for (int fall = 0; fall < 4; ++fall) {
      cluster.host(1).Pause(seconds(3));
      cluster.sim().RunFor(seconds(6));
    }
    EXPECT(!Routes(cluster, 0, 1));
    cluster.Kill(2);
    EXPECT(cluster.sim().Await(seconds(3), [&] { return Routes(cluster, 0, 1); }));
    EXPECT(cluster.Await(cluster.watcher(0).Put("key", 1)).status.ok());
  }
}

}  // namespace
}  // namespace starling::sim
