// Goal:   a tree that is made anew while writes go on is right as of each cut too, not only now.
// Method: two replicas on virtual time get the same writes and removals, for some seconds; the
//         trees of one are to be made anew, those of the other never were. Whenever a slice is
//         made, all of its leaves as of all cuts are the same in both.
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "server/committer.h"
#include "server/stored_trees.h"
#include "server/tree_rebuild.h"
#include "storage/memory_engine.h"
#include "tests/server/one_worker.h"
#include "tests/sim/simulation.h"
#include "tests/stride.h"
#include "tests/test.h"

namespace starling::server {
namespace {

using storage::Family;

constexpr std::uint64_t kCutSeed = 42;
constexpr std::uint64_t kCutLaws = 20;
constexpr base::KeyspaceId kCutKeyspaces = 2;
constexpr std::uint16_t kCutBuckets[] = {0x0000, 0x0001, 0x0100, 0x7f00, 0xff01, 0xffff, 0x00ff};

// One replica on a disk of its own.
class Side final : ReplicaListener {
 public:
  explicit Side(base::World& world)
      : committer_(engine, guard_, Durability::kGroup),
        replica(world, engine, committer_, *this, {.digest_seed = kCutSeed}) {}

  std::shared_ptr<storage::MemoryDisk> disk = std::make_shared<storage::MemoryDisk>();
  // Nothing is to be fetched: both replicas carry out a write in the same turn.
  storage::MemoryEngine engine{disk};

 private:
  bool OnStamp(const Ticket&, const base::Version&, storage::EntryHeader*) override { return true; }
  void OnLocalWrite(const Ticket&, wire::WriteOutcome, const base::Version&,
                    const base::Status& error) override {
    EXPECT(error.ok());
  }
  void OnLocalRead(const Ticket&, const base::Status&, const storage::EntryHeader&, base::Bytes,
                   std::uint64_t) override {}

  std::string guard_file_;
  storage::MemoryGuard guard_{guard_file_};
  Committer committer_;

 public:
  Replica replica;
};

class Twins final : public QuietActor {
 public:
  Twins(base::World& world, base::Random& random)
      : world_(world), random_(random), made(world), plain(world) {
    storage::Batch batch;
    for (int i = 0; i < 60; ++i) PutStored(batch);
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(made.engine.Write(batches, storage::Sync::kYes).ok());
    storage::Batch leaves;
    for (const auto& [place, sum] : stored_sums_)
      leaves.Put(Family::kTree, merkle::LeafKey(place.first, place.second),
                 merkle::EncodeLeaf(sum));
    const storage::Batch* const both[] = {&batch, &leaves};
    REQUIRE(plain.engine.Write(both, storage::Sync::kYes).ok());
    storage::Batch unmade;
    UnmakeTrees(unmade, DamagedEntries::kKeep);
    const storage::Batch* const one[] = {&unmade};
    REQUIRE(made.engine.Write(one, storage::Sync::kYes).ok());
  }

  void OnStart() override {
    REQUIRE(FoldTrees(made.engine).ok());
    REQUIRE(FoldTrees(plain.engine).ok());
    REQUIRE(made.replica.Load().ok());
    REQUIRE(plain.replica.Load().ok());
    rebuild_.Start();
    world_.WakeAt(world_.Now());
  }
  void OnWake() override {
    if (resting) return world_.WakeAt(world_.Now() + base::milliseconds(100));
    for (std::uint64_t i = random_.Below(4); i > 0; --i) WriteOne();
    if (random_.Below(50) == 0) {
      made.replica.ForgetCuts();
      plain.replica.ForgetCuts();
    }
    world_.WakeAt(world_.Now() + base::milliseconds(static_cast<std::int64_t>(random_.Below(20))));
  }
  void OnTurnEnd() override {
    while (made.replica.RunTurn() || plain.replica.RunTurn()) {
    }
    rebuild_.OnTurnEnd();
  }
  bool Quiet() { return made.replica.making().left() == 0 && Done(made) && Done(plain); }

  // Of the slices that are made; how many leaves there were to compare.
  std::uint64_t Compare() {
    std::uint64_t compared = 0;
    for (base::KeyspaceId keyspace = 1; keyspace <= kCutKeyspaces; ++keyspace) {
      const merkle::History* const anew = made.replica.HistoryOf(keyspace);
      const merkle::History* const right = plain.replica.HistoryOf(keyspace);
      if (anew == nullptr || right == nullptr) continue;
      const merkle::Generation oldest = plain.replica.OldestCut(keyspace);
      REQUIRE(made.replica.OldestCut(keyspace) == oldest);
      const merkle::Generation newest = merkle::GenerationOf(world_.WallMs()) + 1;
      for (const std::uint16_t bucket : kCutBuckets) {
        if (!made.replica.making().Made(bucket)) continue;
        for (merkle::Generation cut = oldest; cut <= newest; ++cut, ++compared)
          REQUIRE(anew->LeafAt(bucket, cut) == right->LeafAt(bucket, cut));
      }
    }
    return compared;
  }

  bool resting = false;

 private:
  static bool Done(Side& side) { return side.replica.Committed(side.replica.last_commit()); }

  LocalWrite Draw(std::string& key) {
    key = "k" + std::to_string(random_.Below(30));
    LocalWrite write;
    write.keyspace = 1 + static_cast<base::KeyspaceId>(random_.Below(kCutKeyspaces));
    const std::uint16_t bucket = kCutBuckets[random_.Below(std::size(kCutBuckets))];
    write.token = base::FirstToken(bucket) + base::Hash64(key) % 1000;
    write.key = key;
    // Some come late by seconds, and some of these change nothing.
    const std::int64_t late = random_.Below(4) == 0 ? 3000 : 0;
    const std::int64_t at =
        world_.WallMs() - static_cast<std::int64_t>(random_.Below(50)) -
        static_cast<std::int64_t>(random_.Below(static_cast<std::uint64_t>(late) + 1));
    write.header.version = {static_cast<std::uint64_t>(at) << 16 | random_.Below(1000), 1, 1};
    write.header.value_digest = storage::ValueDigest(write.value);
    if (random_.Below(5) == 0) write.header.flags = storage::kFlagTombstone;
    return write;
  }
  static std::string StoredKey(const LocalWrite& write) {
    std::string stored;
    storage::EncodeDataKeyTo({write.keyspace, write.token, write.key}, stored);
    return stored;
  }

  void PutStored(storage::Batch& batch) {
    std::string key, entry;
    LocalWrite write = Draw(key);
    const std::string stored = StoredKey(write);
    if (written_.contains(stored)) return;
    write.header.version.timestamp -= 100'000ULL << 16;
    storage::EncodeEntryTo(write.header, write.value, entry);
    batch.Put(Family::kData, stored, entry);
    written_[stored] = write.header;
    stored_sums_[{write.keyspace, base::BucketOf(write.token)}] += merkle::DigestOf(
        key, {write.header.version, write.header.flags, 0, write.header.value_digest}, kCutSeed);
  }

  void WriteOne() {
    std::string key;
    const LocalWrite write = Draw(key);
    const std::string stored = StoredKey(write);
    const auto known = written_.find(stored);
    if (random_.Below(10) == 0 && known != written_.end()) {  // As purge does.
      const LocalRemoval removal{.keyspace = write.keyspace,
                                 .token = write.token,
                                 .stored_key = stored,
                                 .header = known->second,
                                 .value = {},
                                 .ticket = {}};
      made.replica.Remove(removal);
      plain.replica.Remove(removal);
      return;
    }
    made.replica.Write(write);
    plain.replica.Write(write);
    storage::EntryHeader& newest = written_[stored];
    if (write.header.version > newest.version) newest = write.header;
  }

  base::World& world_;
  base::Random& random_;
  std::map<std::string, storage::EntryHeader> written_;
  std::map<std::pair<base::KeyspaceId, std::uint16_t>, merkle::Digest> stored_sums_;

 public:
  Side made, plain;

 private:
  MetDamage met_damage_;
  RateShares rate_{0};
  TreeRebuild rebuild_{{world_,
                        made.engine,
                        made.replica,
                        met_damage_,
                        rate_.pulls,
                        {.entries_max = 5, .seeks_max = 5}}};
};

TEST_SUITE("tree_rebuild: cuts") {
  TEST_CASE("law: a made tree is as of every cut what one is that was never unmade") {
    std::uint64_t compared_early = 0;  // While others were not made yet.
    for (std::uint64_t seed = 1; seed <= kCutLaws; seed += Stride()) {
      DOCTEST_CAPTURE(seed);
      base::Random random(seed);
      sim::Simulation sim(seed);
      sim.faults().background_max = base::milliseconds(20);  // All take some 5 s.
      sim.faults().slow_job = 0.05;
      sim.faults().slow_job_max = base::milliseconds(100);
      sim::SimHost& host = sim.AddHost(0x7f000001);
      Twins twins(host.MakeWorld(base::kControlActor), random);
      host.Attach(base::kControlActor, twins);
      host.Start();
      sim.RunFor(base::milliseconds(1));
      REQUIRE(twins.made.replica.making().left() == base::kSlices);
      for (int step = 0; step < 40 && twins.made.replica.making().left() > 0; ++step) {
        sim.RunFor(base::milliseconds(200));
        compared_early += twins.Compare();
      }
      twins.resting = true;
      REQUIRE(sim.Await(base::seconds(60), [&] { return twins.Quiet(); }));
      EXPECT(twins.Compare() > 0);
      host.Crash(sim::SimHost::How::kKilled);
    }
    EXPECT(compared_early > 0);
  }
}

}  // namespace
}  // namespace starling::server
