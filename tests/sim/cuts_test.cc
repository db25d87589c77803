// Goal:   writes under way cause no descent: equal replicas settle a comparison in one small
//         exchange and read no data, under load as when idle; what is missing is still found.
// Method: whole nodes, with clients that write new and old keys all the time; what nodetool says
//         of repair before and after.
#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "tests/sim/admin_answer.h"

namespace starling::sim {
namespace {

using base::milliseconds;
using base::seconds;

constexpr std::uint32_t kNodes = 3;
constexpr std::uint32_t kSenderIp = 0x7f000301;

struct Moved {
  std::uint64_t comparisons = 0;
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
  std::uint64_t read = 0;
  std::uint64_t descents = 0;
  std::uint64_t vain = 0;
};

Moved MovedBy(Cluster& cluster, Sender& sender) {
  Moved sum;
  for (std::uint32_t node = 0; node < kNodes; ++node) {
    const auto repair =
        nlohmann::json::parse(AnswerOf(cluster, sender, node, "netstats"))["repair"];
    sum.comparisons += repair["comparisons"].get<std::uint64_t>();
    sum.bytes += repair["bytes_sent"].get<std::uint64_t>();
    sum.entries += repair["entries_sent"].get<std::uint64_t>();
    sum.read += repair["data_bytes_read"].get<std::uint64_t>();
    sum.descents += repair["descents"].get<std::uint64_t>();
    sum.vain += repair["vain_descents"].get<std::uint64_t>();
  }
  return sum;
}

// 200 writes a second for a while, half of them to keys that are overwritten again and again.
void WriteFor(Cluster& cluster, base::Duration time) {
  SimClient& client = cluster.AddClient();
  const base::Instant ends = cluster.sim().now() + time;
  for (int i = 0; cluster.sim().now() < ends; ++i) {
    const std::string key = i % 2 == 0 ? fmt::format("new {}", i) : fmt::format("old {}", i % 50);
    client.Put(key, cluster.history().NextValue());
    cluster.sim().RunFor(milliseconds(5));
  }
}

TEST_SUITE("sim/cuts") {
  TEST_CASE("under load, comparisons of equal replicas descend nowhere, and take under 1 KB") {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      DOCTEST_INFO("seed ", seed);
      Cluster cluster({.seed = seed, .nodes = kNodes});
      REQUIRE(cluster.AwaitAllUp(seconds(30)));
      Sender sender(cluster.sim().AddHost(kSenderIp));
      WriteFor(cluster, seconds(10));
      const Moved before = MovedBy(cluster, sender);
      WriteFor(cluster, seconds(30));
      const Moved after = MovedBy(cluster, sender);
      EXPECT(after.comparisons - before.comparisons >= 30);
      EXPECT(after.descents == 0);
      EXPECT(after.read == 0);
      EXPECT((after.bytes - before.bytes) / (after.comparisons - before.comparisons) < 1024);
    }
  }

  TEST_CASE("under load, what a node missed is found, and nothing that it has or gets is sent") {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      DOCTEST_INFO("seed ", seed);
      ClusterOptions options{.seed = seed, .nodes = kNodes};
      options.config.hints.enabled = false;
      Cluster cluster(options);
      REQUIRE(cluster.AwaitAllUp(seconds(30)));
      Sender sender(cluster.sim().AddHost(kSenderIp));
      WriteFor(cluster, seconds(5));
      cluster.Kill(2);
      cluster.sim().RunFor(seconds(10));
      for (int i = 0; i < 20; ++i)
        REQUIRE(cluster.Await(cluster.watcher(0).Put(fmt::format("missed {}", i), 900 + i))
                    .status.ok());
      cluster.Start(2);
      REQUIRE(cluster.AwaitAllUp(seconds(30)));
      WriteFor(cluster, seconds(20));
      const Moved moved = MovedBy(cluster, sender);
      EXPECT(moved.entries == 20);
      EXPECT(moved.descents > 0);
      for (int i = 0; i < 20; ++i)
        EXPECT(cluster.StoredValue(2, fmt::format("missed {}", i)).has_value());
      cluster.sim().RunFor(seconds(10));
      EXPECT(!cluster.CheckReplicas());
    }
  }

  TEST_CASE("nodetool repair covers all that was written before it was asked for") {
    ClusterOptions options{.seed = 4, .nodes = kNodes};
    options.config.hints.enabled = options.config.repair.enabled = false;
    Cluster cluster(options);
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    Sender sender(cluster.sim().AddHost(kSenderIp));
    cluster.sim().RunFor(seconds(10));
    for (std::uint32_t from = 0; from < 2; ++from)
      cluster.sim().CutOneWay(cluster.host(from), cluster.host(2));
    REQUIRE(cluster.Await(cluster.watcher(0).Put("late", 1)).status.ok());
    REQUIRE(!cluster.StoredValue(2, "late"));
    for (std::uint32_t from = 0; from < 2; ++from)  // What is on its way is lost.
      cluster.sim().ResetBetween(cluster.host(from), cluster.host(2));
    cluster.sim().HealAll();
    const auto said = nlohmann::json::parse(AnswerOf(cluster, sender, 2, "repair"));
    EXPECT(said["equal"] == true);
    EXPECT(said["entries_received"] == 1);
    EXPECT(said["took_ms"] > 0);
    EXPECT(said["took_ms"] < 1000);  // Without the 2 s and more until the write was old enough.
    EXPECT(cluster.StoredValue(2, "late").has_value());
  }

  TEST_CASE("a stamp far in the future is compared as soon as it comes") {
    ClusterOptions options{.seed = 5, .nodes = kNodes};
    options.config.hints.enabled = false;
    Cluster cluster(options);
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    cluster.Kill(2);
    cluster.sim().RunFor(seconds(10));
    cluster.host(0).SetWallOffset(3'600'000);
    cluster.sim().RunFor(seconds(3));  // No stamp is later than the bound that is on disk.
    const Record put = cluster.Await(cluster.watcher(0).Put("far", 1));
    REQUIRE(put.status.ok());
    cluster.host(0).SetWallOffset(0);
    REQUIRE(put.stamp.wall_ms() > cluster.host(0).WallMs() + 3'000'000);
    // Node 0, whose clock was ahead, answers only for cuts as late as that was, and these comprise
    // the write anyway: so node 2 has it from node 1, and not as a write that its coordinator left.
    cluster.sim().RunFor(seconds(5));
    cluster.Kill(0);
    cluster.Start(2);
    EXPECT(cluster.sim().Await(seconds(30),
                               [&] { return cluster.StoredValue(2, "far").has_value(); }));
  }
}

}  // namespace
}  // namespace starling::sim
