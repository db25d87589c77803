// Goal:   whole nodes found one cluster at their first boot, with all that wait for it, and none of
//         them lacks a write or founds another.
//
// Method: schedules made by hand on whole nodes: who starts when, who is killed at which step, and
//         where names of seeds lead.
#include <fmt/core.h>

#include <map>
#include <string>
#include <vector>

#include "gossip/keyring.h"
#include "tests/sim/calm.h"
#include "tests/sim/members.h"
#include "tests/stride.h"
#include "tests/test.h"

namespace starling::sim {
namespace {

using base::milliseconds;
using base::seconds;

// What would mend by itself a write that a member lacks, or make one ready.
ClusterOptions NothingMends(std::uint32_t seeds) {
  ClusterOptions options = Calm(seeds);
  options.config.repair.enabled = false;
  options.config.hints.enabled = false;
  return options;
}

std::uint32_t StartNewcomer(Cluster& cluster) {
  const std::uint32_t added = cluster.AddNode();
  cluster.Start(added);
  return added;
}

TEST_SUITE("sim/founding") {
  TEST_CASE("founders are ready from the start, after a restart too") {
    ClusterOptions options = Calm(3);
    options.config.repair.enabled = false;
    Cluster cluster(options);
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    for (std::uint32_t node = 0; node < 3; ++node) {
      EXPECT(IsReady(cluster, node));
      cluster.Kill(node);
      cluster.Start(node);
      cluster.sim().RunFor(milliseconds(100));
      EXPECT(IsReady(cluster, node));
    }
  }

  TEST_CASE("who waits while the cluster is founded is in its first epoch, and ready at once") {
    Cluster cluster(NothingMends(3));
    for (int i = 0; i < 5; ++i) StartNewcomer(cluster);
    REQUIRE(cluster.AwaitAllUp(seconds(10)));
    for (std::uint32_t node = 0; node < cluster.size(); ++node) {
      EXPECT(EpochOf(cluster, node) == 1);
      EXPECT(IsReady(cluster, node));
    }
    EXPECT(cluster.SnapshotOf(7)->topology->members().size() == 8);
    // Voters are the seeds, whatever seats are free.
    EXPECT(cluster.SnapshotOf(7)->topology->voters.size() == 3);
    const auto puts = PutKeys(cluster, 7, 50);
    EXPECT(CountLost(cluster, 3, puts) == 0);
  }

  TEST_CASE("one that dies before it hears of that is a member that is down, and misses nothing") {
    Cluster cluster(NothingMends(3));
    const std::uint32_t added = StartNewcomer(cluster);
    REQUIRE(cluster.sim().Await(seconds(10), [&] { return IsMember(cluster, 0); }));
    REQUIRE(!IsMember(cluster, added));
    cluster.Kill(added);
    REQUIRE(cluster.SnapshotOf(0)->topology->members().size() == 4);
    cluster.sim().RunFor(seconds(5));
    const auto puts = PutKeys(cluster, 0, 50);
    cluster.Start(added);
    REQUIRE(AwaitMember(cluster, added, seconds(10)));
    cluster.sim().RunFor(seconds(2));
    EXPECT(IsReady(cluster, added));
    EXPECT(CountLost(cluster, added, puts) == 0);

    SUBCASE("with its directory lost meanwhile it has to take its own place") {
      cluster.Kill(added);
      cluster.EmptyDisk(added);
      cluster.Start(added);
      cluster.sim().RunFor(seconds(5));
      EXPECT(!cluster.up(added));
      EXPECT(Mentions(ExitOf(cluster, added), "node.replace = "));
    }
  }

  TEST_CASE("whoever dies at whatever step of the founding, it ends in one cluster of all") {
    // Founded 1.5 s after the start or so; 60 ms apart over 2.4 s.
    for (std::uint64_t step = 0; step < 40; step += Stride()) {
      DOCTEST_CAPTURE(step);
      Cluster cluster(Calm(3));
      const std::uint32_t added = StartNewcomer(cluster);
      StartNewcomer(cluster);
      cluster.sim().RunFor(milliseconds(60) * step);
      const std::uint32_t victim = step % 2 == 0 ? static_cast<std::uint32_t>(step / 2 % 3) : added;
      cluster.LosePower(victim);
      cluster.sim().RunFor(milliseconds(700));
      cluster.Start(victim);
      // One that was not taken in joins, once all others are up.
      REQUIRE(cluster.sim().Await(seconds(60), [&] {
        for (std::uint32_t node = 0; node < cluster.size(); ++node)
          if (!IsReady(cluster, node)) return false;
        return true;
      }));
      const base::HostId id = cluster.SnapshotOf(0)->topology->cluster_id;
      for (std::uint32_t node = 1; node < cluster.size(); ++node)
        EXPECT(cluster.SnapshotOf(node)->topology->cluster_id == id);
      EXPECT(cluster.exits().empty());
      REQUIRE(cluster.AwaitAllUp(seconds(10)));
      // By nodes whose clients have not lost a connection with the victim.
      const auto puts = PutKeys(cluster, 4, 5);
      EXPECT(CountLost(cluster, victim == 0 ? 1 : 0, puts) == 0);
    }
  }

  TEST_CASE("where gossip is sealed, who has no key is not taken in, and hears why") {
    ClusterOptions options = Calm(3);
    options.keys.keyring = gossip::Keyring(gossip::KeyBytes{7});
    Cluster cluster(options);
    const std::uint32_t known = StartNewcomer(cluster), stranger = cluster.AddNode();
    cluster.keys(stranger) = {};
    cluster.Start(stranger);
    REQUIRE(AwaitMember(cluster, known, seconds(10)));
    EXPECT(EpochOf(cluster, known) == 1);
    cluster.sim().RunFor(seconds(5));
    EXPECT(cluster.SnapshotOf(0)->topology->members().size() == 4);
    EXPECT(!cluster.up(stranger));
    EXPECT(Mentions(ExitOf(cluster, stranger), "has no key"));
  }

  TEST_CASE("a node with node.replace and an empty directory founds nothing") {
    SUBCASE("a lone seed ends with the reason") {
      Cluster cluster(Calm(1));
      REQUIRE(cluster.AwaitAllUp(seconds(30)));
      Replaces(cluster, 0, 0);
      cluster.Start(0);
      cluster.sim().RunFor(seconds(10));
      EXPECT(!cluster.up(0));
      EXPECT(Mentions(ExitOf(cluster, 0), "cluster.seeds names nobody but this node"));
    }
    SUBCASE("nor with seeds that are empty as well; and they do not count it as a founder") {
      Cluster cluster(Calm(3));
      REQUIRE(cluster.AwaitAllUp(seconds(30)));
      for (std::uint32_t node = 0; node < 3; ++node) {
        cluster.Kill(node);
        cluster.EmptyDisk(node);
      }
      Replaces(cluster, 1, 1);
      for (std::uint32_t node = 0; node < 3; ++node) cluster.Start(node);
      cluster.sim().RunFor(seconds(20));
      EXPECT(Mentions(ExitOf(cluster, 1), "all other seeds"));
      for (std::uint32_t node = 0; node < 3; ++node) EXPECT(!IsMember(cluster, node));
      EXPECT(cluster.up(0));
      EXPECT(cluster.up(2));
    }
  }

  TEST_CASE("F22: seeds' names are looked up until they can be, and followed when they move") {
    std::map<std::string, std::uint32_t> names;
    ClusterOptions options = Calm(3);
    options.look_up = [&](const std::string& name) -> base::Result<std::uint32_t> {
      const auto found = names.find(name);
      if (found == names.end()) return base::Fail(base::Unavailable("no such name"));
      return found->second;
    };
    Cluster cluster(options);
    const auto name_of = [&](std::uint32_t node) { return fmt::format("node{}.test", node); };
    std::vector<std::string> seeds;
    for (std::uint32_t node = 0; node < 3; ++node) seeds.push_back(name_of(node) + ":7700");
    for (std::uint32_t node = 0; node < 3; ++node) {
      cluster.Kill(node);
      cluster.EmptyDisk(node);
      cluster.config(node).cluster.seeds = seeds;
      cluster.Start(node);
    }
    names[name_of(0)] = cluster.AddressOf(0).ip;
    cluster.sim().RunFor(seconds(20));
    for (std::uint32_t node = 0; node < 3; ++node) {
      EXPECT(cluster.up(node));
      EXPECT(!IsMember(cluster, node));
    }
    names[name_of(1)] = 0x7f0000fe;  // Where it was once.
    names[name_of(2)] = cluster.AddressOf(2).ip;
    cluster.sim().RunFor(seconds(20));
    for (std::uint32_t node = 0; node < 3; ++node) EXPECT(!IsMember(cluster, node));
    names[name_of(1)] = cluster.AddressOf(1).ip;
    REQUIRE(cluster.AwaitAllUp(seconds(30)));

    // One more, whose only seed leads to nobody as yet.
    const std::uint32_t added = cluster.AddNode();
    cluster.config(added).cluster.seeds = {"door.test:7700"};
    names["door.test"] = 0x7f0000fe;
    cluster.Start(added);
    cluster.sim().RunFor(seconds(20));
    EXPECT(!IsMember(cluster, added));
    names["door.test"] = cluster.AddressOf(2).ip;
    REQUIRE(AwaitMember(cluster, added, seconds(20)));

    // And once it is a member no name is needed.
    names.clear();
    cluster.Kill(added);
    cluster.sim().RunFor(seconds(10));
    cluster.Start(added);
    EXPECT(cluster.AwaitAllUp(seconds(30)));
  }
}

}  // namespace
}  // namespace starling::sim
