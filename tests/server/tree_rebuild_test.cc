// Goal:   trees that are made anew while writes go on count each entry exactly once.
// Method: a replica on virtual time whose pages and commits take their time, under random writes,
//         deletes and removals; kills and power losses in the midst of it; at the end leaves and
//         counts, in memory and as stored, are those of the stored entries.
#include "server/tree_rebuild.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "server/committer.h"
#include "server/purge/dead.h"
#include "server/purge/rules.h"
#include "server/stored_trees.h"
#include "server/tree_making.h"
#include "server/tree_page.h"
#include "storage/memory_engine.h"
#include "tests/server/engine_lives.h"
#include "tests/server/entry_sums.h"
#include "tests/server/one_worker.h"
#include "tests/server/unreadable_engine.h"
#include "tests/sim/simulation.h"
#include "tests/test.h"

namespace starling::server {
namespace {

using storage::Family;

constexpr std::uint64_t kLaws = 40;
// Of three slices, two of them neighbours, so that a page ends in all kinds of places.
constexpr std::uint16_t kBucketsUsed[] = {0x0000, 0x0001, 0x0100, 0x0101, 0x7f00,
                                          0xff00, 0xff01, 0xffff, 0x00ff, 0x8001};

// One life of a replica that writes at random until it is told to rest.
class Life final : public QuietActor, ReplicaListener {
 public:
  Life(base::World& world, storage::Engine& engine, storage::Guard& guard, base::Random& random)
      : world_(world),
        random_(random),
        committer_(engine, guard, Durability::kGroup),
        // So short that slots of the journal are used again and again.
        replica_(world, engine, committer_, *this,
                 {.digest_seed = kDigestSeed,
                  .journal = {.lap_bytes_min = 500, .lap_bytes_max = 500, .slots_max = 8}}),
        pages(engine),
        rebuild_(
            {world, pages, replica_, met_damage, rate_.pulls, {.entries_max = 7, .seeks_max = 5}}) {
  }

  void OnStart() override {
    REQUIRE(replica_.Load().ok());
    rebuild_.Start();
    world_.WakeAt(world_.Now());
  }
  void OnWake() override {
    if (resting) return world_.WakeAt(world_.Now() + base::milliseconds(100));
    for (std::uint64_t i = random_.Below(12); i > 0; --i) WriteOne();
    world_.WakeAt(world_.Now() + base::microseconds(static_cast<std::int64_t>(random_.Below(700))));
  }
  void OnTurnEnd() override {
    while (replica_.RunTurn()) {
    }
    rebuild_.OnTurnEnd();
  }
  bool Quiet() {
    return replica_.making().left() == 0 && replica_.Committed(replica_.last_commit());
  }
  Replica& replica() { return replica_; }

  bool resting = false;
  MetDamage met_damage;

 private:
  bool OnStamp(const Ticket&, const base::Version&, storage::EntryHeader*) override { return true; }
  void OnLocalWrite(const Ticket&, wire::WriteOutcome, const base::Version&,
                    const base::Status& error) override {
    // A key whose entry is damaged, and not removed yet.
    EXPECT((error.ok() || error.code() == base::Code::kCorruption));
  }
  void OnLocalRead(const Ticket&, const base::Status&, const storage::EntryHeader&, base::Bytes,
                   std::uint64_t) override {}

  void WriteOne() {
    const std::string key = "k" + std::to_string(random_.Below(40));
    LocalWrite write;
    write.keyspace = 1 + static_cast<base::KeyspaceId>(random_.Below(kKeyspaces));
    const std::uint16_t bucket = kBucketsUsed[random_.Below(std::size(kBucketsUsed))];
    write.token = base::FirstToken(bucket) + base::Hash64(key) % 1000;
    write.key = key;
    const std::string stored = KeyAsStored(write);
    if (random_.Below(8) == 0) {  // As purge does: what is there by now, as far as we know.
      const auto known = written_.find(stored);
      if (known == written_.end()) return;
      replica_.Remove({.keyspace = write.keyspace,
                       .token = write.token,
                       .stored_key = stored,
                       .header = known->second,
                       .value = {},
                       .ticket = {}});
      written_.erase(known);
      return;
    }
    const std::string value = std::to_string(random_.Next());
    // Some come too late, and change nothing.
    const std::int64_t at = world_.WallMs() + static_cast<std::int64_t>(random_.Below(50));
    write.header.version = {static_cast<std::uint64_t>(at) << 16 | random_.Below(1000), 1, 1};
    const std::uint64_t kind = random_.Below(4);
    if (kind == 0) write.header.flags = storage::kFlagTombstone;
    if (kind == 1) {
      write.header.flags = storage::kFlagHasExpiry;
      write.header.expiry_ms = static_cast<std::uint64_t>(at) + 1'000'000;
    }
    if (kind != 0) write.value = value;
    write.header.value_digest = storage::ValueDigest(write.value);
    replica_.Write(write);
    storage::EntryHeader& known = written_[stored];
    if (write.header.version > known.version) known = write.header;
  }

  base::World& world_;
  base::Random& random_;
  Committer committer_;
  Replica replica_;
  RateShares rate_{0};

 public:
  UnreadableEngine pages;  // As the making reads it.

 private:
  TreeRebuild rebuild_;
  std::map<std::string, storage::EntryHeader> written_;
};

struct Machine : EngineLives<Life> {
  explicit Machine(std::uint64_t seed) : EngineLives(seed) {
    sim.faults().background_max = base::milliseconds(2);
    sim.faults().slow_job = 0.05;
    sim.faults().slow_job_max = base::milliseconds(20);
  }
  // Leaves that say nothing, and some damaged entries; all is to be made anew.
  void Unmake() {
    storage::Batch batch;
    for (const std::uint16_t bucket : kBucketsUsed)
      batch.Put(Family::kTree, merkle::LeafKey(1, bucket),
                merkle::EncodeLeaf({.count = 9, .low = 7, .high = 8}));
    for (int i = 0; i < 5; ++i) {
      std::string key, entry;
      storage::EncodeDataKeyTo({1, base::FirstToken(kBucketsUsed[i]) + 5, "damaged"}, key);
      storage::EncodeEntryTo({.version = {1 << 16, 1, 1}, .value_digest = 1}, "value", entry);
      batch.Put(Family::kData, key, i % 2 == 0 ? entry : "no entry");
    }
    UnmakeTrees(batch, DamagedEntries::kDrop);
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(engine->Write(batches, storage::Sync::kYes).ok());
    REQUIRE(CheckTreesMade(*engine).code() == base::Code::kFailedPrecondition);
  }
  // Once all is made and committed.
  void ExpectRight() { ExpectTreesOfEntries(*engine, life->replica()); }
};

TEST_SUITE("tree_rebuild") {
  TEST_CASE(
      "law: whatever is written and whenever it crashes, a made tree is that of the entries") {
    std::uint64_t cut_short = 0;  // Lives that ended in the midst of it.
    std::uint64_t unread = 0;     // Pages that could not be read.
    for (std::uint64_t seed = 1; seed <= kLaws; ++seed) {
      DOCTEST_CAPTURE(seed);
      Machine machine(seed);
      machine.Begin();
      machine.sim.RunFor(base::milliseconds(60));
      machine.End(false);
      machine.Unmake();
      for (std::uint64_t life = machine.random.Below(4); life > 0; --life) {
        machine.Begin();
        machine.sim.RunFor(
            base::milliseconds(static_cast<std::int64_t>(1 + machine.random.Below(400))));
        cut_short += machine.life->replica().making().left() > 0 ? 1 : 0;
        machine.End(machine.random.Below(2) == 0);
      }
      machine.Begin();
      const std::uint64_t unread_before = unread;
      if (seed % 2 == 0)
        machine.life->pages.unreadable = [&](base::Bytes) {
          const bool now = machine.random.Below(400) == 0;
          unread += now ? 1 : 0;
          return now;
        };
      machine.sim.RunFor(base::milliseconds(100));
      machine.RestUntilQuiet();
      EXPECT(machine.life->met_damage.Take() == (unread > unread_before));
      machine.ExpectRight();
      machine.End(false);
    }
    EXPECT(cut_short > 0);
    EXPECT(unread > 0);
  }

  TEST_CASE("a slice that cannot be read holds up no other, and is made once it can be") {
    Machine machine(5);
    machine.Begin();
    machine.sim.RunFor(base::milliseconds(60));
    machine.End(false);
    machine.Unmake();
    machine.Begin();
    // Slice 1 has it, and the walk of slice 0 runs into it behind its own.
    machine.life->pages.unreadable = [](base::Bytes key) {
      const auto place = storage::DecodeDataKey(key);
      return place->keyspace == 1 && base::BucketOf(place->token) == 0x0101;
    };
    const TreeMaking& making = machine.life->replica().making();
    REQUIRE(machine.sim.Await(base::seconds(60), [&] { return making.left() <= 2; }));
    machine.sim.RunFor(base::milliseconds(50));  // Writes go on, in these two as well.
    machine.life->resting = true;
    machine.sim.RunFor(base::seconds(11));  // They are tried again.
    EXPECT(making.left() == 2);
    EXPECT(!making.Made(0x0000));
    EXPECT(!making.Made(0x0101));
    EXPECT(making.Made(0x0002));
    EXPECT(making.Made(0xffff));
    EXPECT(machine.life->met_damage.Take());
    machine.life->pages.unreadable = [](base::Bytes) { return false; };
    machine.RestUntilQuiet();
    machine.ExpectRight();
    machine.End(false);
  }

  TEST_CASE(
      "without a loss to tell of, what is damaged stays, is counted by its header, and noted") {
    Machine machine(3);
    storage::Batch batch;
    std::string key, entry, other;
    storage::EncodeDataKeyTo({1, 77, "value"}, key);
    storage::EncodeDataKeyTo({1, 77, "no entry"}, other);
    storage::EncodeEntryTo({.version = {1 << 16, 1, 1}, .value_digest = 1}, "value", entry);
    batch.Put(Family::kData, key, entry);
    batch.Put(Family::kData, other, "x");
    UnmakeTrees(batch, DamagedEntries::kKeep);
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(machine.engine->Write(batches, storage::Sync::kYes).ok());
    machine.Begin();
    machine.RestUntilQuiet();
    EXPECT(machine.life->met_damage.Take());
    EXPECT(machine.life->replica().LeafOf(1, 0).count == 1);
    EXPECT(storage::GetOne(*machine.engine, Family::kData, key).has_value());
    EXPECT(storage::GetOne(*machine.engine, Family::kData, other).has_value());
    machine.End(false);
  }
}

}  // namespace
}  // namespace starling::server
