// Goal:   a member that comes back at another address is the member it was, for all that it does,
//         and a copy of its data directory is not.
// Method: whole nodes whose ports change between two lives; copies of disks on another machine.
// (All
//         ports of a machine have one IP here; others are in tests/process/moving_test.py.)
#include <string>

#include "tests/sim/calm.h"
#include "tests/sim/members.h"
#include "tests/test.h"

namespace starling::sim {
namespace {

using base::seconds;

// Where `by` has a node: what it sends to, and what its topology notes.
base::Address Seen(const Cluster& cluster, std::uint32_t by, std::uint32_t node) {
  return cluster.SnapshotOf(by)->node(node).cluster;
}

void MoveTo(Cluster& cluster, std::uint32_t node, std::uint16_t port) {
  cluster.Kill(node);
  cluster.config(node).ports.cluster = port;
  cluster.config(node).ports.resp = static_cast<std::uint16_t>(port + 2);
}

TEST_SUITE("sim/moving") {
  TEST_CASE("a member at another address is found there at once, and an epoch notes it") {
    Cluster cluster(Calm(3));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    const auto puts = PutKeys(cluster, 0, 50);
    MoveTo(cluster, 1, 7800);
    cluster.Start(1);
    // Before any epoch does: gossip has it.
    REQUIRE(cluster.sim().Await(seconds(2), [&] {
      return IsMember(cluster, 1) && Seen(cluster, 0, 1) == cluster.AddressOf(1) &&
             Seen(cluster, 2, 1) == cluster.AddressOf(1);
    }));
    EXPECT(EpochOf(cluster, 0) == 1);
    REQUIRE(cluster.sim().Await(seconds(5), [&] { return EpochOf(cluster, 0) == 2; }));
    REQUIRE(cluster.AwaitAllUp(seconds(10)));
    const topology::Node& noted = cluster.SnapshotOf(2)->node(1);
    EXPECT(noted.cluster == cluster.AddressOf(1));
    EXPECT(noted.resp.port == 7802);
    // Requests of before are refused: they may be of what was left behind.
    EXPECT(cluster.SnapshotOf(0)->ring_epoch == 2);
    EXPECT(cluster.GossipOf(1).counters().conflicts == 0);

    // It is a replica as before: the other one is down, and QUORUM has it.
    cluster.Kill(2);
    cluster.sim().RunFor(seconds(5));
    EXPECT(CountLost(cluster, 1, puts) == 0);
    const auto more = PutKeys(cluster, 0, 50);
    EXPECT(CountLost(cluster, 1, more) == 0);
    cluster.Start(2);
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    cluster.sim().RunFor(seconds(20));
    EXPECT(cluster.CheckReplicas() == std::nullopt);

    // Back home, likewise.
    MoveTo(cluster, 1, 7700);
    cluster.Start(1);
    REQUIRE(cluster.sim().Await(seconds(10), [&] { return EpochOf(cluster, 2) == 3; }));
    EXPECT(cluster.AwaitAllUp(seconds(10)));
  }

  TEST_CASE("all members move at once, and find each other by seeds that say where they are now") {
    Cluster cluster(Calm(3));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    const auto puts = PutKeys(cluster, 0, 20);
    for (std::uint32_t node = 0; node < 3; ++node) MoveTo(cluster, node, 7800);
    SeedsAre(cluster, 1, 0);
    SeedsAre(cluster, 2, 0);
    for (std::uint32_t node = 0; node < 3; ++node) cluster.Start(node);
    REQUIRE(cluster.sim().Await(seconds(30), [&] { return EpochOf(cluster, 0) == 4; }));
    REQUIRE(cluster.AwaitAllUp(seconds(10)));
    EXPECT(CountLost(cluster, 2, puts) == 0);
  }

  // Packets for that address reach one of them; what the other one says still leaves it.
  TEST_CASE("of two hosts that are configured with one address neither burns epochs for it") {
    ClusterOptions options = Calm(4);
    options.faults.foreign_addresses = true;
    Cluster cluster(options);
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    cluster.Kill(3);
    cluster.config(3).node.listen = cluster.AddressOf(1).IpString();
    cluster.Start(3);
    cluster.sim().RunFor(seconds(60));
    REQUIRE(cluster.up(1));
    REQUIRE(cluster.up(3));
    EXPECT(EpochOf(cluster, 0) <= 3);
    const std::uint64_t before = EpochOf(cluster, 0);
    cluster.sim().RunFor(seconds(60));
    EXPECT(EpochOf(cluster, 0) <= before + 1);
    EXPECT(Seen(cluster, 0, 1) == cluster.AddressOf(1));
  }

  TEST_CASE("a copy beside its original ends, and the original goes on where it is") {
    Cluster cluster(Calm(3));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    const std::uint32_t copy = cluster.AddNode();
    cluster.PutBack(copy, cluster.CopyDisk(1), Cluster::GuardFile::kPutBackToo);
    cluster.Start(copy);
    cluster.sim().RunFor(seconds(3));
    EXPECT(!cluster.up(copy));
    EXPECT(Mentions(ExitOf(cluster, copy), "is alive at 127.0.0.2:7700"));
    EXPECT(EpochOf(cluster, 0) == 1);
    EXPECT(cluster.GossipOf(1).counters().conflicts == 0);
  }

  TEST_CASE("a copy that cannot reach its original gives way to it all the same") {
    Cluster cluster(Calm(3));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    const std::uint32_t copy = cluster.AddNode();  // At the higher address.
    cluster.PutBack(copy, cluster.CopyDisk(1), Cluster::GuardFile::kPutBackToo);
    cluster.sim().Cut(cluster.host(1), cluster.host(copy));
    cluster.Start(copy);
    cluster.sim().RunFor(seconds(20));
    EXPECT(!cluster.up(copy));  // Else it would go on to repair and to purge under that name.
    EXPECT(Mentions(ExitOf(cluster, copy), "this one gives way"));
    EXPECT(!cluster.GossipOf(1).yielded());
    EXPECT(EpochOf(cluster, 0) == 1);
    REQUIRE(cluster.sim().Await(seconds(10), [&] {
      return Seen(cluster, 0, 1) == cluster.AddressOf(1) &&
             Seen(cluster, 2, 1) == cluster.AddressOf(1);
    }));
  }

  TEST_CASE("who lost data hears so from members that moved meanwhile, before it serves a read") {
    Cluster cluster(Calm(3));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    const Cluster::DiskCopy older = cluster.CopyDisk(2);
    for (std::uint32_t node = 0; node < 2; ++node) {
      MoveTo(cluster, node, 7800);
      cluster.Start(node);
      REQUIRE(cluster.AwaitAllUp(seconds(30)));
    }
    REQUIRE(cluster.sim().Await(seconds(30), [&] { return EpochOf(cluster, 2) == 3; }));
    PutKeys(cluster, 1, 50);  // Node 1 remembers what node 2 acknowledged to it.
    cluster.Kill(2);
    cluster.PutBack(2, older, Cluster::GuardFile::kPutBackToo);  // Its peers remember more.
    SeedsAre(cluster, 2, 0);
    cluster.Start(2);
    bool served = false;
    for (int ms = 0; ms < 10'000 && cluster.up(2); ++ms) {
      cluster.sim().RunFor(base::milliseconds(1));
      served = served || (cluster.up(2) && IsReady(cluster, 2));
    }
    EXPECT(!served);
    REQUIRE(!cluster.up(2));  // It ended to begin anew.
    cluster.Start(2);
    EXPECT(cluster.AwaitAllUp(seconds(30)));
  }

  // As in a cloud: the old machine is gone, and says nothing any more. Without its vote nobody
  // could ever replace the one that is down.
  TEST_CASE("a voter whose old machine is silent votes, though another one is down") {
    Cluster cluster(Calm(3));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    const auto puts = PutKeys(cluster, 0, 20);
    const std::uint32_t machine = cluster.AddNode();
    cluster.LosePower(1);
    cluster.Kill(2);
    cluster.PutBack(machine, cluster.CopyDisk(1), Cluster::GuardFile::kPutBackToo);
    cluster.Start(machine);
    cluster.sim().RunFor(seconds(5));
    EXPECT(EpochOf(cluster, 0) == 1);  // The other could be frozen.
    EXPECT(CountLost(cluster, machine, puts) == 0);
    REQUIRE(cluster.sim().Await(seconds(15), [&] { return EpochOf(cluster, 0) == 2; }));
    EXPECT(Seen(cluster, 0, 1) == cluster.AddressOf(machine));
    EXPECT(cluster.SnapshotOf(0)->node(1).resp.ip == cluster.AddressOf(machine).ip);
    EXPECT(CountLost(cluster, machine, PutKeys(cluster, 0, 20)) == 0);

    Replaces(cluster, 2, 2);
    cluster.Start(2);
    REQUIRE(cluster.sim().Await(seconds(60), [&] { return IsReady(cluster, 2); }));
    EXPECT(CountLost(cluster, 2, PutKeys(cluster, 0, 20)) == 0);
  }

  // Node 1 is stopped as under SIGSTOP, and a copy of it started on another machine.
  struct Frozen {
    Cluster cluster{Calm(3)};
    std::uint32_t copy = 0;

    explicit Frozen(base::Duration time) {
      REQUIRE(cluster.AwaitAllUp(seconds(30)));
      copy = cluster.AddNode();
      cluster.PutBack(copy, cluster.CopyDisk(1), Cluster::GuardFile::kPutBackToo);
      cluster.host(1).Pause(time);
      cluster.Kill(2);
      cluster.Start(copy);
    }
  };

  TEST_CASE("a copy of a voter that is frozen for a moment casts no vote, and ends") {
    Frozen frozen(seconds(5));
    Cluster& cluster = frozen.cluster;
    EXPECT(!cluster.sim().Await(seconds(20), [&] { return EpochOf(cluster, 0) > 1; }));
    EXPECT(!cluster.up(frozen.copy));
    EXPECT(Mentions(ExitOf(cluster, frozen.copy), "is alive at 127.0.0.2:7700"));
    EXPECT(Seen(cluster, 0, 1) == cluster.AddressOf(1));
  }

  TEST_CASE("a voter that was frozen until an epoch noted its copy ends") {
    Frozen frozen(seconds(30));
    Cluster& cluster = frozen.cluster;
    REQUIRE(cluster.sim().Await(seconds(20), [&] { return EpochOf(cluster, 0) == 2; }));
    cluster.sim().RunFor(seconds(30));
    EXPECT(!cluster.up(1));
    EXPECT(IsMember(cluster, frozen.copy));
    EXPECT(EpochOf(cluster, 0) == 2);
    EXPECT(Seen(cluster, 0, 1) == cluster.AddressOf(frozen.copy));
  }

  // The others know a later life of it than it does.
  TEST_CASE("a directory put back older counts on from the life that the others know") {
    Cluster cluster(Calm(3));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    const auto before = cluster.CopyDisk(1);
    for (int life = 0; life < 4; ++life) {
      cluster.Kill(1);
      if (life == 3) cluster.PutBack(1, before, Cluster::GuardFile::kPutBackToo);
      cluster.Start(1);
      REQUIRE(cluster.AwaitAllUp(seconds(60)));
    }
    cluster.sim().RunFor(seconds(5));
    cluster.Kill(1);
    cluster.Start(1);
    REQUIRE(cluster.AwaitAllUp(seconds(60)));
    cluster.sim().RunFor(seconds(5));
    const std::size_t self = cluster.SnapshotOf(1)->self;
    EXPECT(cluster.GossipOf(1).self().generation == cluster.SnapshotOf(1)->peers[self].boot);
    EXPECT(cluster.GossipOf(1).counters().conflicts == 0);
  }

  TEST_CASE("a voter that was frozen listens for its copy before it votes") {
    Cluster cluster(Calm(3));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    cluster.Kill(2);
    cluster.host(1).Pause(seconds(4));
    cluster.sim().RunFor(base::milliseconds(3800));
    const auto& created = cluster.watcher(0).CreateKeyspace("late", "simple:1");
    cluster.sim().RunFor(base::milliseconds(1700));
    EXPECT(EpochOf(cluster, 0) == 1);
    REQUIRE(cluster.sim().Await(seconds(10), [&] { return created.has_value(); }));
    EXPECT(created->ok());
  }

  // Gossip gets through, and connections to the others do not. A topology is too large for a
  // datagram.
  TEST_CASE("an original that wakes up hears from its copy of the epoch that noted it") {
    ClusterOptions options = Calm(3);
    options.config.node.vnodes = 256;
    Cluster cluster(options);
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    const std::uint32_t copy = cluster.AddNode();
    cluster.PutBack(copy, cluster.CopyDisk(1), Cluster::GuardFile::kPutBackToo);
    cluster.host(1).Pause(seconds(20));
    cluster.Start(copy);
    REQUIRE(cluster.sim().Await(seconds(15), [&] { return EpochOf(cluster, copy) == 2; }));
    for (int ms = 0; ms < 30'000 && cluster.up(1); ++ms) {
      for (const std::uint32_t other : {0U, 2U})
        cluster.sim().ResetBetween(cluster.host(1), cluster.host(other));
      cluster.sim().RunFor(base::milliseconds(1));
    }
    EXPECT(!cluster.up(1));
    EXPECT(Mentions(ExitOf(cluster, 1), "is alive at 127.0.0.4:7700"));
    EXPECT(IsMember(cluster, copy));
  }

  // Node 3 comes back where node 1 was, which is down: so that one is noted where node 3 was.
  TEST_CASE("an address that may mean two members is refused for node.replace, a host id is not") {
    Cluster cluster(Calm(4));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    const base::HostId lost = cluster.SnapshotOf(0)->node(1).host;
    cluster.Kill(1);
    cluster.sim().RunFor(seconds(10));
    cluster.Kill(3);
    cluster.PutBack(1, cluster.CopyDisk(3), Cluster::GuardFile::kPutBackToo);
    cluster.Start(1);
    REQUIRE(cluster.sim().Await(seconds(30), [&] { return EpochOf(cluster, 0) == 2; }));
    EXPECT(Seen(cluster, 0, 1) == cluster.AddressOf(3));
    const std::uint32_t added = cluster.AddNode();
    cluster.config(added).node.replace = cluster.AddressOf(1).ToString();
    cluster.Start(added);
    cluster.sim().RunFor(seconds(5));
    EXPECT(!cluster.up(added));
    EXPECT(Mentions(ExitOf(cluster, added), "may mean any of these hosts: " + lost.ToString()));
    cluster.config(added).node.replace = lost.ToString();
    cluster.Start(added);
    REQUIRE(cluster.sim().Await(seconds(60), [&] { return IsReady(cluster, added); }));
    EXPECT(!cluster.SnapshotOf(0)->topology->Find(lost)->member());
    EXPECT(IsMember(cluster, 1));
  }

  // It has a host id, and does not know its cluster any more: so gossip does not have it.
  TEST_CASE("what was left where a member is noted is not taken back while that one lives") {
    Cluster cluster(Calm(3));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    PutKeys(cluster, 0, 20);
    const std::uint32_t moved = cluster.AddNode();
    cluster.Kill(1);
    cluster.PutBack(moved, cluster.CopyDisk(1), Cluster::GuardFile::kPutBackToo);
    cluster.PutBack(1, {std::make_shared<storage::MemoryDisk>(), ""}, Cluster::GuardFile::kKept);
    cluster.Start(moved);
    REQUIRE(cluster.sim().Await(seconds(2),
                                [&] { return Seen(cluster, 0, 1) == cluster.AddressOf(moved); }));
    const auto taken_back = [&] { return cluster.SnapshotOf(0)->node(1).back != 0; };
    cluster.Start(1);
    for (int ms = 0; ms < 60'000 && !taken_back(); ++ms) {
      cluster.sim().RunFor(base::milliseconds(1));
      if (!cluster.up(1)) cluster.Start(1);
    }
    EXPECT(taken_back());
    EXPECT(!cluster.up(moved));
  }

  TEST_CASE("what is left at the old address ends when it is started again") {
    Cluster cluster(Calm(3));
    REQUIRE(cluster.AwaitAllUp(seconds(30)));
    const std::uint32_t copy = cluster.AddNode();
    cluster.Kill(1);
    cluster.PutBack(copy, cluster.CopyDisk(1), Cluster::GuardFile::kPutBackToo);
    cluster.Start(copy);
    REQUIRE(cluster.sim().Await(seconds(10), [&] { return EpochOf(cluster, 0) == 2; }));
    EXPECT(Seen(cluster, 0, 1) == cluster.AddressOf(copy));
    cluster.Start(1);
    cluster.sim().RunFor(seconds(20));
    EXPECT(!cluster.up(1));
    EXPECT(Mentions(ExitOf(cluster, 1), "is alive at 127.0.0.4:7700"));
    EXPECT(IsMember(cluster, copy));
    EXPECT(!cluster.GossipOf(copy).yielded());
    EXPECT(Seen(cluster, 2, 1) == cluster.AddressOf(copy));
  }
}

}  // namespace
}  // namespace starling::sim
