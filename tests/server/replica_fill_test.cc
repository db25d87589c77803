// Goal:   a run of pulled entries that becomes tables enters as if each had been written: no newer
//         version gives way to it, and trees and counts are those of the stored entries, whenever
//         it crashes.
// Method: a replica on virtual time whose jobs and commits take their time, under random writes and
//         runs; kills and power losses in the midst of it; at the end what is stored is compared
//         with all that was acknowledged, and trees and counts with what is stored.
#include "server/replica_fill.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/committer.h"
#include "server/pulled_run.h"
#include "server/tree_rebuild.h"
#include "storage/memory_engine.h"
#include "tests/server/engine_lives.h"
#include "tests/server/entry_sums.h"
#include "tests/server/one_worker.h"
#include "tests/sim/simulation.h"
#include "tests/test.h"

namespace starling::server {
namespace {

constexpr std::uint64_t kRuns = 60;
// Few, so that runs and writes meet.
constexpr std::uint16_t kBucketsOfRuns[] = {0x0000, 0x0001, 0x0100, 0x7f00, 0xff00, 0xffff};

// One life of a replica that takes writes and runs at random until it is told to rest.
class RunTaker final : public QuietActor, ReplicaListener {
 public:
  using Highest = std::map<std::string, base::Version>;  // By stored key.

  // `owed`: what was acknowledged, by this life and those before.
  RunTaker(base::World& world, storage::Engine& engine, storage::Guard& guard, base::Random& random,
           Highest& owed, Durability durability)
      : world_(world),
        random_(random),
        owed_(owed),
        committer_(engine, guard, durability),
        replica_(world, engine, committer_, *this,
                 {.digest_seed = kDigestSeed,
                  .began_empty = HoldsNothing(engine),
                  .journal = {.lap_bytes_min = 500, .lap_bytes_max = 500, .slots_max = 8},
                  .table_bytes_min = 1}),
        rebuild_({world, engine, replica_, met_damage_, rate_.pulls, {}}) {}

  void OnStart() override {
    REQUIRE(replica_.Load().ok());
    rebuild_.Start();
    world_.WakeAt(world_.Now());
  }
  void OnWake() override {
    if (resting) return world_.WakeAt(world_.Now() + base::milliseconds(100));
    for (std::uint64_t i = random_.Below(4); i > 0; --i) {
      std::string key, value;
      Take(Draw(key, value));
    }
    if (replica_.MayFill() && random_.Below(3) == 0) TakeRun();
    world_.WakeAt(world_.Now() + base::microseconds(static_cast<std::int64_t>(random_.Below(900))));
  }
  void OnTurnEnd() override {
    while (replica_.RunTurn()) {
    }
    if (const auto rest = replica_.TakeRest()) {
      for (const PulledRun::Entry& entry : rest->entries()) Take(rest->WriteOf(entry));
      one_by_one += rest->entries().size();
      world_.Again();
    }
    rebuild_.OnTurnEnd();
  }
  bool Quiet() {
    return replica_.making().left() == 0 && !replica_.fill_under_way() &&
           replica_.Committed(replica_.last_commit());
  }
  Replica& replica() { return replica_; }

  bool resting = false;
  std::uint64_t one_by_one = 0;  // Entries of runs that were no table's.

 private:
  bool OnStamp(const Ticket&, const base::Version&, storage::EntryHeader*) override { return true; }
  void OnLocalWrite(const Ticket& ticket, wire::WriteOutcome, const base::Version&,
                    const base::Status& error) override {
    EXPECT(error.ok());
    const auto pending = pending_.find(ticket.a);
    if (ticket.kind != Ticket::Kind::kPut || pending == pending_.end()) return;
    const auto& [stored_key, version] = pending->second;
    owed_[stored_key] = std::max(owed_[stored_key], version);
    pending_.erase(pending);
  }
  void OnLocalRead(const Ticket&, const base::Status&, const storage::EntryHeader&, base::Bytes,
                   std::uint64_t) override {}

  LocalWrite Draw(std::string& key, std::string& value) {
    key = "k" + std::to_string(random_.Below(30));
    value = std::to_string(random_.Next());
    LocalWrite write;
    write.keyspace = 1 + static_cast<base::KeyspaceId>(random_.Below(kKeyspaces));
    write.token = base::FirstToken(kBucketsOfRuns[random_.Below(std::size(kBucketsOfRuns))]) +
                  base::Hash64(key) % 1000;
    write.key = key;
    const std::int64_t at = world_.WallMs() + static_cast<std::int64_t>(random_.Below(50));
    write.header.version = {static_cast<std::uint64_t>(at) << 16 | random_.Below(1000), 1, 1};
    if (random_.Below(4) == 0) {
      write.header.flags = storage::kFlagTombstone;
    } else {
      write.value = value;
    }
    write.header.value_digest = storage::ValueDigest(write.value);
    return write;
  }

  void Take(LocalWrite write) {
    write.ticket = {Ticket::Kind::kPut, ++serial_, 0, 0};
    pending_[serial_] = {KeyAsStored(write), write.header.version};
    replica_.Write(write);
  }

  void TakeRun() {
    std::string key, value;
    LocalWrite write = Draw(key, value);
    auto run = std::make_unique<PulledRun>(write.keyspace);
    for (std::uint64_t i = 1 + random_.Below(12); i > 0; --i) {
      if (write.keyspace == run->keyspace()) run->Add(write);
      write = Draw(key, value);
    }
    if (!run->empty()) replica_.StartFill(std::move(run));
  }

  base::World& world_;
  base::Random& random_;
  Highest& owed_;
  Committer committer_;
  Replica replica_;
  MetDamage met_damage_;
  RateShares rate_{0};
  TreeRebuild rebuild_;
  std::map<std::uint64_t, std::pair<std::string, base::Version>> pending_;
  std::uint64_t serial_ = 0;
};

struct FilledMachine : EngineLives<RunTaker> {
  FilledMachine(std::uint64_t seed, Durability mode) : EngineLives(seed), durability(mode) {
    sim.faults().background_max = base::milliseconds(2);
    sim.faults().sync_max = base::milliseconds(1);
  }
  void Begin() { EngineLives::Begin(owed, durability); }
  void End(bool by_power_loss) {
    EngineLives::End(by_power_loss);
    // It takes what was acknowledged and not synced.
    if (by_power_loss && durability == Durability::kPeriodic) owed.clear();
  }
  bool FillingIsNoted() const {
    const auto cursor = engine->Scan(storage::Family::kMeta, kFillingPrefix, {});
    cursor->Seek(kFillingPrefix);
    return cursor->Valid() && cursor->key().starts_with(kFillingPrefix);
  }
  void ExpectNothingOwed() {
    for (const auto& [key, version] : owed) {
      const auto stored = storage::GetOne(*engine, storage::Family::kData, key);
      REQUIRE(stored.has_value());
      EXPECT(storage::DecodeEntry(*stored)->header.version >= version);
    }
  }

  RunTaker::Highest owed;
  const Durability durability;
};

TEST_SUITE("server/replica_fill") {
  TEST_CASE("law: beside whatever writes, and whenever it crashes, runs enter as writes do") {
    std::uint64_t cut_short = 0;  // Lives that ended between tables and trees, or just before.
    std::uint64_t filled = 0, one_by_one = 0;
    for (std::uint64_t seed = 1; seed <= kRuns; ++seed) {
      DOCTEST_CAPTURE(seed);
      FilledMachine machine(seed, seed % 2 == 0 ? Durability::kPeriodic : Durability::kGroup);
      for (std::uint64_t life = machine.random.Below(4); life > 0; --life) {
        machine.Begin();
        machine.sim.RunFor(
            base::milliseconds(static_cast<std::int64_t>(1 + machine.random.Below(80))));
        filled += machine.life->replica().counters().filled;
        machine.End(machine.random.Below(2) == 0);
        cut_short += machine.FillingIsNoted() ? 1 : 0;
      }
      machine.Begin();
      machine.sim.RunFor(base::milliseconds(60));
      machine.RestUntilQuiet();
      filled += machine.life->replica().counters().filled;
      one_by_one += machine.life->one_by_one;
      EXPECT(!machine.FillingIsNoted());
      machine.ExpectNothingOwed();
      ExpectTreesOfEntries(*machine.engine, machine.life->replica());
      machine.End(false);
    }
    EXPECT(cut_short > 5);
    EXPECT(filled > 1000);
    EXPECT(one_by_one > 100);
  }
}

}  // namespace
}  // namespace starling::server
