// Goal:   what an emptied node pulls is gathered and becomes tables, all of it, and what depends on
//         its being stored waits for that: the order's end, purge's marks, proofs.
// Method: a real worker is ordered to pull; the test plays the peer from a store of its own.
#include <string>
#include <vector>

#include "server/pulled_run.h"
#include "tests/server/pulled_peer.h"

namespace starling::server {
namespace {

constexpr int kManyKeys = 600;

Config RunsOf(std::uint64_t bytes) {
  Config config;
  config.repair.run_bytes = bytes;
  return config;
}

void PutMany(PeerStore& peer) {
  for (int i = 0; i < kManyKeys; ++i) peer.PutAt(Key(i), std::string(100, 'x'), 1'600'000'000'000);
}

void ExpectAllWithoutTables(const Config& config, bool room_on_disk = true) {
  OneWorker node(topology::FoundedBy(2), config);
  PeerStore peer(node);
  PutMany(peer);
  node.Start({kPeer});
  node.SetRoomForRuns(room_on_disk);
  EXPECT(PullAll(node)->entries == kManyKeys);
  EXPECT(Held(node) == kManyKeys);
  EXPECT(node.Stats().repair.entries_in_tables == 0);
}

TEST_SUITE("server/repair_pull: tables") {
  TEST_CASE("what an emptied node lacks becomes tables, and its trees comprise it") {
    OneWorker node(topology::FoundedBy(2), RunsOf(16 << 10));
    PeerStore peer(node);
    PutMany(peer);
    node.Start({kPeer});
    SUBCASE("in order") {}
    SUBCASE("with pages that hold little") { peer.page_bytes = 300; }
    SUBCASE("while the disk is slow") { node.faults().background_max = base::milliseconds(300); }
    node.Tell(OrderOfAll());
    const auto done = node.Hear<PullDoneMail>(base::seconds(300));
    EXPECT(done->status.ok());
    EXPECT(done->entries == kManyKeys);
    EXPECT(Held(node) == kManyKeys);  // At once: the order ends with all of it stored.
    EXPECT(node.Stats().repair.entries_in_tables > kManyKeys * 9 / 10);
    EXPECT(PullAll(node)->entries == 0);
    EXPECT(node.Stats().entries.at(kDefault) == kManyKeys);
  }

  TEST_CASE("a little becomes no table") { ExpectAllWithoutTables(RunsOf(4 << 20)); }

  TEST_CASE("where there is no memory to gather, it is written like anything else") {
    Config config = RunsOf(16 << 10);
    config.limits.memory_bytes_max = 40 << 10;
    ExpectAllWithoutTables(config);
  }

  TEST_CASE("where the disk has little room beyond its reserve, likewise") {
    ExpectAllWithoutTables(RunsOf(16 << 10), false);
  }

  TEST_CASE("a disk that is full takes no table, and the order ends and says so") {
    OneWorker node(topology::FoundedBy(2), RunsOf(16 << 10));
    PeerStore peer(node);
    PutMany(peer);
    node.Start({kPeer});
    node.faults().background_max = base::milliseconds(300);
    node.Tell(OrderOfAll());
    REQUIRE(node.Await(base::seconds(60), [&] { return peer.sent > kManyKeys / 3; }));
    node.SetDiskFull(true);
    EXPECT(node.Hear<PullDoneMail>(base::seconds(120))->status.code() == base::Code::kUnavailable);
    node.SetDiskFull(false);
    EXPECT(PullAll(node)->status.ok());
    EXPECT(Held(node) == kManyKeys);
  }

  TEST_CASE("a bucket is not proved while a run of it becomes tables, and then it is") {
    OneWorker node(topology::FoundedBy(2), RunsOf(16 << 10));
    PeerStore peer(node);
    PutMany(peer);
    node.Start({kPeer});
    node.faults().background_max = base::seconds(10);
    const auto noted = [&] {
      const auto cursor = node.engine.Scan(storage::Family::kMeta, kFillingPrefix, {});
      cursor->Seek(kFillingPrefix);
      return cursor->Valid() && cursor->key().starts_with(kFillingPrefix);
    };
    const auto prove = [&] {
      auto step = std::make_unique<PurgeStepMail>();
      step->request = {.step = purge::Step::kProve,
                       .epoch = node.topology().epoch,
                       .keyspace = kDefault,
                       .horizon = purge::HorizonAt(node.WallMs(), 3'600'000),
                       .buckets = {}};
      for (int i = 0; i < kManyKeys; ++i)
        step->request.buckets.push_back(base::BucketOf(node.TokenOf(Key(i))));
      node.Tell(std::move(step));
      return node.Hear<PurgeStepDoneMail>()->status;
    };
    node.Tell(OrderOfAll());
    REQUIRE(node.Await(base::seconds(60), noted));
    EXPECT(prove().code() == base::Code::kUnavailable);
    node.faults().background_max = base::milliseconds(1);
    EXPECT(node.Hear<PullDoneMail>(base::seconds(300))->status.ok());
    EXPECT(prove().ok());
  }

  TEST_CASE("a mark that is adopted rises with or after all that became tables below it") {
    constexpr std::uint64_t kMark = 1'600'000'000'001ULL << 16;
    OneWorker node(topology::FoundedBy(2), RunsOf(16 << 10));
    PeerStore peer(node);
    PutMany(peer);
    peer.purged = kMark;
    node.Start({kPeer});
    node.faults().background_max = base::milliseconds(20);
    node.faults().sync_max = base::milliseconds(20);
    node.Tell(OrderOfAll());
    std::size_t early = 0;
    for (int tens = 0; tens < 3000 && Held(node) < kManyKeys; ++tens) {
      node.RunFor(base::milliseconds(10));
      for (int i = 0; i < kManyKeys; i += 7)
        if (MarkOnDisk(node, base::BucketOf(node.TokenOf(Key(i)))) >= kMark &&
            !HasOnDisk(node, Key(i)))
          ++early;
    }
    EXPECT(node.Hear<PullDoneMail>(base::seconds(60))->status.ok());
    node.RunFor(base::seconds(1));
    EXPECT(early == 0);
    EXPECT(node.Stats().repair.entries_in_tables > kManyKeys / 2);
    for (int i = 0; i < kManyKeys; ++i)
      EXPECT(MarkOnDisk(node, base::BucketOf(node.TokenOf(Key(i)))) == kMark);
  }
}

}  // namespace
}  // namespace starling::server
