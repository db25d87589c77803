// Goal:   a range counts as proved up to a cut only if all of its replicas had the same as of it;
//         the proof outlives a restart, and what blocks the next one is named.
// Method: whole nodes under writes; a replica that is down, or cut off from what it lacks; what
//         nodetool says, and the entries stored.
#include <fmt/core.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/sim/admin_answer.h"

namespace starling::sim {
namespace {

using base::milliseconds;
using base::seconds;

constexpr std::uint32_t kAskerIp = 0x7f000301;

// The oldest proof of a node's ranges, wall ms; 0: some range has none.
std::int64_t ProvedBy(Cluster& cluster, Sender& sender, std::uint32_t node) {
  const auto status = nlohmann::json::parse(AnswerOf(cluster, sender, node, "repairstatus"));
  return status["oldest_proof_ms"].is_null() ? 0 : status["oldest_proof_ms"].get<std::int64_t>();
}

void Write(Cluster& cluster, base::Duration time) {
  SimClient& client = cluster.AddClient();
  const base::Instant ends = cluster.sim().now() + time;
  for (int i = 0; cluster.sim().now() < ends; ++i) {
    client.Put(fmt::format("key {}", i % 300), cluster.history().NextValue());
    cluster.sim().RunFor(milliseconds(5));
  }
}

std::string Blocked(Cluster& cluster, Sender& sender, std::uint32_t node) {
  return nlohmann::json::parse(
             AnswerOf(cluster, sender, node, "repairstatus"))["ranges"][0]["blocked_by"]
      .dump();
}

TEST_SUITE("sim/proofs") {
  TEST_CASE("under writes, every range is proved up to 15 s ago or less") {
    Cluster cluster({.seed = 1, .nodes = 5});
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    Sender sender(cluster.sim().AddHost(kAskerIp));
    Write(cluster, seconds(20));
    for (std::uint32_t node = 0; node < 5; ++node) {
      const std::int64_t proved = ProvedBy(cluster, sender, node);
      EXPECT(proved > cluster.host(node).WallMs() - 15'000);
      EXPECT(proved <= cluster.host(node).WallMs() - 2000);
    }
  }

  TEST_CASE("a replica that is down holds proofs up, and is named; restarts lose no proof") {
    Cluster cluster({.seed = 2, .nodes = 3});
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    Sender sender(cluster.sim().AddHost(kAskerIp));
    Write(cluster, seconds(15));
    cluster.Kill(2);
    const std::int64_t killed = cluster.host(0).WallMs();
    Write(cluster, seconds(15));
    const std::int64_t proved = ProvedBy(cluster, sender, 0);
    EXPECT(proved > 0);
    EXPECT(proved < killed);
    EXPECT(Blocked(cluster, sender, 0).find("it is down") != std::string::npos);
    cluster.LosePower(0);
    cluster.Start(0);
    cluster.sim().RunFor(seconds(10));
    EXPECT(ProvedBy(cluster, sender, 0) == proved);
    cluster.Start(2);
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    cluster.sim().RunFor(seconds(20));
    EXPECT(ProvedBy(cluster, sender, 0) > killed);
  }

  TEST_CASE("while one replica of three lacks a write, no proof comprises it") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      DOCTEST_INFO("seed ", seed);
      ClusterOptions options{.seed = seed, .nodes = 3};
      options.config.hints.enabled = false;
      Cluster cluster(options);
      REQUIRE(cluster.AwaitAllUp(seconds(30)));
      Sender sender(cluster.sim().AddHost(kAskerIp));
      Write(cluster, seconds(12));
      // Lost on its way to node 2, which nobody reaches for a while.
      for (std::uint32_t from = 0; from < 2; ++from)
        cluster.sim().CutOneWay(cluster.host(from), cluster.host(2));
      const std::int64_t written = cluster.host(0).WallMs();
      REQUIRE(cluster.Await(cluster.watcher(0).Put("lost", 1)).status.ok());
      for (std::uint32_t from = 0; from < 2; ++from)
        cluster.sim().ResetBetween(cluster.host(from), cluster.host(2));
      for (int i = 0; i < 300; ++i) {
        const bool lacks = !cluster.StoredValue(2, "lost");
        for (std::uint32_t node = 0; node < 3; ++node) {
          const server::RangeProof* oldest = cluster.ProofsOf(node).Oldest();
          REQUIRE(oldest != nullptr);
          EXPECT((!lacks || merkle::EndOf(oldest->through) <= written + 1000));
        }
        if (i == 100) cluster.sim().HealAll();
        cluster.sim().RunFor(milliseconds(100));
      }
      EXPECT(cluster.StoredValue(2, "lost").has_value());
      EXPECT(merkle::EndOf(cluster.ProofsOf(0).Oldest()->through) > written);
    }
  }
}

}  // namespace
}  // namespace starling::sim
