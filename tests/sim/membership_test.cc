// Goal:   nodes that join, replace, restart or lose their disk never serve what they lack, and
// never
//         take the place of a member that is alive.
//
// Method: schedules made by hand on whole nodes: who starts when with which disk and configuration,
//         who is stopped, which ways are cut.
#include <string>
#include <vector>

#include "storage/guard.h"
#include "tests/sim/admin_answer.h"
#include "tests/sim/calm.h"
#include "tests/sim/members.h"
#include "tests/test.h"

namespace starling::sim {
namespace {

using base::milliseconds;
using base::seconds;

TEST_SUITE("sim/membership") {
  TEST_CASE("a replacement that dies while it is admitted is not ready when it is back") {
    ClusterOptions options = Calm(3);
    options.config.repair.enabled = false;
    options.config.hints.enabled = false;
    Cluster cluster(options);
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    PutKeys(cluster, 0, 20);
    Replaces(cluster, 2, 2);
    cluster.Start(2);
    // It is killed once its admission is chosen, and before it hears so: when the first of the
    // others does, whichever that is.
    REQUIRE(cluster.sim().Await(
        seconds(30), [&] { return EpochOf(cluster, 0) == 2 || EpochOf(cluster, 1) == 2; }));
    REQUIRE(!IsMember(cluster, 2));
    cluster.Kill(2);
    cluster.Start(2);
    REQUIRE(AwaitMember(cluster, 2, seconds(10)));
    cluster.sim().RunFor(seconds(20));
    EXPECT(!IsReady(cluster, 2));

    cluster.Kill(2);  // So for good, until it catches up.
    cluster.config(2).repair.enabled = true;
    cluster.Start(2);
    REQUIRE(cluster.sim().Await(seconds(60), [&] { return IsReady(cluster, 2); }));
    EXPECT(cluster.CheckReplicas() == std::nullopt);
    cluster.Kill(2);  // And ready for good.
    cluster.Start(2);
    cluster.sim().RunFor(milliseconds(100));
    EXPECT(IsReady(cluster, 2));
  }

  TEST_CASE("a newcomer that has nothing yet counts for no copy, by the guard of who has it all") {
    Cluster cluster(Calm(1));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    PutKeys(cluster, 0, 100);
    const auto guard = [&] { return *storage::DecodeGuard(cluster.CopyDisk(0).guard_file); };
    EXPECT(guard().members == 1);
    EXPECT(guard().irreplaceable.any());
    const std::uint32_t one = cluster.AddNode();
    SeedsAre(cluster, one, 0);
    cluster.Start(one);
    REQUIRE(AwaitMember(cluster, one, seconds(30)));
    REQUIRE(EpochOf(cluster, 0) == EpochOf(cluster, one));
    cluster.sim().RunFor(seconds(1));  // Until both are in one epoch.
    PutKeys(cluster, 0, 1);            // The guard is written along with a sync.
    REQUIRE(!IsReady(cluster, one));
    EXPECT(guard().members == 1);
    EXPECT(guard().irreplaceable.any());
    REQUIRE(cluster.sim().Await(seconds(60), [&] { return IsReady(cluster, one); }));
    cluster.sim().RunFor(seconds(5));
    PutKeys(cluster, 0, 1);
    EXPECT(guard().members == 2);
    EXPECT(!guard().irreplaceable.any());
  }

  TEST_CASE("where repair is switched off, a node that joins says that it will never be ready") {
    ClusterOptions options = Calm(2);
    options.config.repair.enabled = false;
    Cluster cluster(options);
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    Sender asker(cluster.sim().AddHost(0x7f000900));
    const std::string never = "repair.enabled is false here: it never will";
    EXPECT(AnswerOf(cluster, asker, 0, "status").find(never) == std::string::npos);
    const std::uint32_t one = cluster.AddNode();
    cluster.Start(one);
    REQUIRE(AwaitMember(cluster, one, seconds(10)));
    cluster.sim().RunFor(seconds(10));
    EXPECT(!IsReady(cluster, one));
    EXPECT(AnswerOf(cluster, asker, one, "status").find(never) != std::string::npos);
    // What it says to do about it does it.
    cluster.Kill(one);
    cluster.config(one).repair.enabled = true;
    cluster.Start(one);
    REQUIRE(cluster.sim().Await(seconds(30), [&] { return IsReady(cluster, one); }));
    EXPECT(AnswerOf(cluster, asker, one, "status").find(never) == std::string::npos);
  }

  TEST_CASE("of two that join at once, the second waits until the first is ready") {
    Cluster cluster(Calm(3));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    const auto puts = PutKeys(cluster, 0, 100);
    const std::uint32_t one = cluster.AddNode(), two = cluster.AddNode();
    SeedsAre(cluster, one, 0);  // Each is admitted by another member.
    SeedsAre(cluster, two, 2);
    cluster.Start(one);
    cluster.Start(two);
    bool both_lacking = false;
    REQUIRE(cluster.sim().Await(seconds(120), [&] {
      const bool members = IsMember(cluster, one) && IsMember(cluster, two);
      const bool any_ready = IsReady(cluster, one) || IsReady(cluster, two);
      both_lacking = both_lacking || (members && !any_ready);
      return IsReady(cluster, one) && IsReady(cluster, two);
    }));
    EXPECT(!both_lacking);
    cluster.sim().RunFor(seconds(5));
    EXPECT(CountLost(cluster, two, puts) == 0);
  }

  TEST_CASE("a newcomer compares with many in a row, and the next one has its turn at once") {
    Cluster cluster(Calm(12));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    const std::uint32_t one = cluster.AddNode(), two = cluster.AddNode(), three = cluster.AddNode();
    SeedsAre(cluster, one, 0);
    SeedsAre(cluster, two, 1);
    SeedsAre(cluster, three, 2);
    cluster.Start(one);
    REQUIRE(AwaitMember(cluster, one, seconds(10)));
    cluster.Start(two);
    const base::Instant admitted = cluster.sim().now();
    REQUIRE(cluster.sim().Await(seconds(30), [&] { return IsReady(cluster, one); }));
    base::Instant ready = cluster.sim().now();
    // 3.6 s until a cut is old enough (server/repair.cc), not a tick more for each of twelve.
    EXPECT(ready - admitted < milliseconds(4300));
    // Who waits asks twice a second, whenever the one before turns out to be ready: `three` begins
    // to ask at another time than `two`.
    REQUIRE(AwaitMember(cluster, two, seconds(10)));
    EXPECT(cluster.sim().now() - ready < milliseconds(800));
    cluster.sim().RunFor(milliseconds(1300));
    cluster.Start(three);
    REQUIRE(cluster.sim().Await(seconds(30), [&] { return IsReady(cluster, two); }));
    ready = cluster.sim().now();
    REQUIRE(AwaitMember(cluster, three, seconds(10)));
    EXPECT(cluster.sim().now() - ready < milliseconds(800));
  }

  TEST_CASE("nobody joins while a member is down, and the one that waits is admitted later") {
    Cluster cluster(Calm(3));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    cluster.Kill(2);
    cluster.sim().RunFor(seconds(5));
    const std::uint32_t added = cluster.AddNode();
    cluster.Start(added);
    cluster.sim().RunFor(seconds(30));
    EXPECT(!IsMember(cluster, added));
    EXPECT(cluster.up(added));
    cluster.Start(2);
    EXPECT(AwaitMember(cluster, added, seconds(20)));
  }

  TEST_CASE("nobody is replaced while another member has yet to catch up, except that one") {
    ClusterOptions options = Calm(3);
    options.config.repair.enabled = false;
    options.nodes = 5;
    Cluster cluster(options);
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    Replaces(cluster, 4, 4);
    cluster.Start(4);
    REQUIRE(AwaitMember(cluster, 4, seconds(30)));
    cluster.sim().RunFor(seconds(5));
    REQUIRE(!IsReady(cluster, 4));

    Replaces(cluster, 3, 3);
    cluster.Start(3);
    cluster.sim().RunFor(seconds(30));
    EXPECT(!IsMember(cluster, 3));
    EXPECT(EpochOf(cluster, 0) == 2);
    cluster.Kill(3);

    Replaces(cluster, 4, 4);
    cluster.Start(4);
    EXPECT(AwaitMember(cluster, 4, seconds(30)));
  }

  TEST_CASE("an admission goes on by others when the member that was asked stops or dies") {
    ClusterOptions options = Calm(5);
    options.faults.stall_timeout = seconds(600);  // The kernel of a stopped process takes bytes.
    // All four are asked in vain before the old one counts as dead, and the first once more.
    options.config.gossip.suspicion_timeout = seconds(8);
    Cluster cluster(options);
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    Replaces(cluster, 4, 4);
    SeedsAre(cluster, 4, 0);
    cluster.Start(4);
    cluster.sim().RunFor(milliseconds(500));
    REQUIRE(!IsMember(cluster, 4));
    SUBCASE("stopped") { cluster.host(0).Pause(seconds(600)); }
    SUBCASE("dead") { cluster.Kill(0); }
    EXPECT(AwaitMember(cluster, 4, seconds(40)));
  }

  TEST_CASE("a member that was just restarted lets no live member be replaced") {
    Cluster cluster(Calm(3));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    const std::uint32_t other = cluster.AddNode();
    Replaces(cluster, other, 2);
    SeedsAre(cluster, other, 1);
    cluster.Start(other);
    cluster.sim().RunFor(seconds(5));
    // Back, and out of touch with all but the node that wants to replace.
    cluster.Kill(1);
    cluster.sim().Cut(cluster.host(1), cluster.host(0));
    cluster.sim().Cut(cluster.host(1), cluster.host(2));
    cluster.sim().Cut(cluster.host(other), cluster.host(0));
    cluster.sim().Cut(cluster.host(other), cluster.host(2));
    cluster.Start(1);
    cluster.sim().RunFor(seconds(8));
    cluster.sim().HealAll();
    cluster.sim().RunFor(seconds(30));
    EXPECT(!IsMember(cluster, other));
    EXPECT(cluster.up(2));
    EXPECT(EpochOf(cluster, 0) == 1);

    cluster.Kill(2);
    EXPECT(AwaitMember(cluster, other, seconds(20)));
  }

  TEST_CASE("a member that died before all others restarted can still be replaced") {
    Cluster cluster(Calm(3));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    for (std::uint32_t node = 0; node < 3; ++node) cluster.Kill(node);
    cluster.Start(0);
    cluster.Start(1);
    Replaces(cluster, 2, 2);
    cluster.Start(2);
    cluster.sim().RunFor(seconds(20));
    EXPECT(!IsMember(cluster, 2));
    EXPECT(AwaitMember(cluster, 2, seconds(40)));
  }

  TEST_CASE("a member whose configured place is not the cluster's ends with both named") {
    Cluster cluster(Calm(3));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    cluster.Kill(1);
    std::string was, is;
    SUBCASE("rack") { cluster.config(1).node.rack = is = "rack7", was = "rack1"; }
    SUBCASE("datacenter") { cluster.config(1).node.dc = is = "dc7", was = "dc1"; }
    cluster.Start(1);
    cluster.sim().RunFor(seconds(2));
    EXPECT(!cluster.up(1));
    EXPECT(Mentions(ExitOf(cluster, 1), was));
    EXPECT(Mentions(ExitOf(cluster, 1), is));
  }

  TEST_CASE("a node that restarts fails no request because it has not heard of the others yet") {
    Cluster cluster(Calm(3));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    cluster.Kill(1);
    cluster.sim().RunFor(seconds(5));
    // Gossip's first packets are lost, so that clients come first.
    cluster.sim().Cut(cluster.host(1), cluster.host(0));
    cluster.sim().Cut(cluster.host(1), cluster.host(2));
    cluster.Start(1);
    SimClient& client = cluster.AddClientOf(1);
    std::vector<History::Id> puts;
    for (int i = 0; i < 100; ++i) {
      if (i == 10) cluster.sim().HealAll();
      puts.push_back(client.Put("key", cluster.history().NextValue()));
      cluster.sim().RunFor(milliseconds(20));
    }
    REQUIRE(cluster.AwaitIdle(seconds(30)));
    EXPECT(cluster.history().record(puts.back()).status.ok());
    int untried = 0;
    for (const History::Id put : puts)
      if (Mentions(cluster.history().record(put).status.message(), "nothing was tried")) ++untried;
    EXPECT(untried == 0);
  }
}

}  // namespace
}  // namespace starling::sim
