// Goal:   a write whose coordinator dies after one replica had it reaches all live replicas in less
//         than 3 s, without repair, and costs nobody anything after that.
// Method: whole nodes; the coordinator is cut from all replicas but one, writes, and dies. Each
//         node's own count of messages shows that passing on comes to an end.
#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "tests/sim/cluster.h"
#include "tests/test.h"

namespace starling::sim {
namespace {

using base::milliseconds;
using base::seconds;

// What one replica has, and whom it has to tell.
struct Orphaned {
  std::string key;
  std::uint64_t value = 0;
  std::vector<std::uint32_t> replicas;  // The first one has it.
  std::uint32_t coordinator = 0;
};

ClusterOptions Nodes(std::uint64_t seed) {
  ClusterOptions options{.seed = seed};
  options.config.repair.enabled = false;
  return options;
}

// The coordinator is none of the replicas; it reaches the first one alone.
Orphaned Orphan(Cluster& cluster) {
  Orphaned orphan;
  orphan.key = "the key";
  orphan.replicas = cluster.ReplicasOf(orphan.key);
  while (std::find(orphan.replicas.begin(), orphan.replicas.end(), orphan.coordinator) !=
         orphan.replicas.end())
    ++orphan.coordinator;
  Simulation& sim = cluster.sim();
  for (std::size_t i = 1; i < orphan.replicas.size(); ++i)
    sim.CutOneWay(cluster.host(orphan.coordinator), cluster.host(orphan.replicas[i]));
  orphan.value = cluster.history().NextValue();
  cluster.watcher(orphan.coordinator).Put(orphan.key, orphan.value);
  const std::uint32_t first = orphan.replicas.front();
  REQUIRE(
      sim.Await(seconds(2), [&] { return cluster.StoredValue(first, orphan.key).has_value(); }));
  return orphan;
}

bool Holds(Cluster& cluster, std::uint32_t node, const Orphaned& orphan) {
  const auto value = cluster.StoredValue(node, orphan.key);
  return value && ParseValue(*value) == orphan.value;
}

bool AllHold(Cluster& cluster, const Orphaned& orphan) {
  return std::all_of(orphan.replicas.begin(), orphan.replicas.end(), [&](std::uint32_t node) {
    return !cluster.up(node) || Holds(cluster, node, orphan);
  });
}

TEST_SUITE("sim/orphans") {
  TEST_CASE(
      "a write that one replica has reaches the others within 3 s of its coordinator's death") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      DOCTEST_INFO("seed ", seed);
      Cluster cluster(Nodes(seed));
      REQUIRE(cluster.AwaitAllUp(seconds(60)));
      const Orphaned orphan = Orphan(cluster);
      REQUIRE(!AllHold(cluster, orphan));
      cluster.Kill(orphan.coordinator);
      const base::Instant died = cluster.sim().now();
      EXPECT(cluster.sim().Await(seconds(3), [&] { return AllHold(cluster, orphan); }));
      DOCTEST_INFO("after ", (cluster.sim().now() - died).count() / 1000000, " ms");
      EXPECT(!cluster.CheckReplicas());
    }
  }

  TEST_CASE("a coordinator that is back at once, with another boot, has orphans all the same") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      DOCTEST_INFO("seed ", seed);
      Cluster cluster(Nodes(seed));
      REQUIRE(cluster.AwaitAllUp(seconds(60)));
      const Orphaned orphan = Orphan(cluster);
      cluster.Kill(orphan.coordinator);
      cluster.Start(orphan.coordinator);
      EXPECT(cluster.sim().Await(seconds(5), [&] { return AllHold(cluster, orphan); }));
    }
  }

  TEST_CASE("a replica that is down as well gets it by a hint when it is back") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      DOCTEST_INFO("seed ", seed);
      Cluster cluster(Nodes(seed));
      REQUIRE(cluster.AwaitAllUp(seconds(60)));
      const Orphaned orphan = Orphan(cluster);
      const std::uint32_t last = orphan.replicas.back();
      cluster.Kill(orphan.coordinator);
      cluster.Kill(last);
      cluster.sim().RunFor(seconds(10));
      EXPECT(AllHold(cluster, orphan));  // Those that are up.
      cluster.Start(last);
      EXPECT(cluster.sim().Await(seconds(10), [&] { return Holds(cluster, last, orphan); }));
    }
  }
}

}  // namespace
}  // namespace starling::sim
