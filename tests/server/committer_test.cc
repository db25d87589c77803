// Goal:   all that was submitted while the disk was busy is one write with one sync, and a job is
//         done only when its batch is as durable as the mode says.
// Method: a lane that the test runs by hand, over an engine that counts; then threads.
#include "server/committer.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "storage/memory_engine.h"
#include "tests/server/lane_world.h"
#include "tests/test.h"

namespace starling::server {
namespace {

using storage::Family;

// The engine in memory, and what was asked of it.
class CountingEngine final : public storage::Engine {
 public:
  struct Asked {
    std::size_t batches = 0;
    storage::Sync sync{};
    bool operator==(const Asked&) const = default;
  };

  storage::MemoryDisk& disk() { return *disk_; }
  const std::vector<Asked>& writes() const { return writes_; }

  base::Status Write(std::span<const storage::Batch* const> batches, storage::Sync sync) override {
    writes_.push_back({batches.size(), sync});
    return memory_.Write(batches, sync);
  }
  void Get(Family family, std::span<const base::Bytes> keys, storage::Tier tier,
           storage::GetSink& sink) override {
    memory_.Get(family, keys, tier, sink);
  }
  base::Status SyncLog() override { return memory_.SyncLog(); }
  base::Status AddTables(storage::Family family,
                         std::span<const std::span<const storage::SortedEntry>> tables) override {
    return memory_.AddTables(family, tables);
  }
  std::unique_ptr<storage::Cursor> Scan(Family family, base::Bytes begin,
                                        base::Bytes end) override {
    return memory_.Scan(family, begin, end);
  }
  std::uint64_t sequence() const override { return memory_.sequence(); }
  base::Status Flush() override { return memory_.Flush(); }
  base::Status Compact() override { return memory_.Compact(); }
  std::vector<storage::Table> Tables() const override { return memory_.Tables(); }
  base::Status CheckTable(const std::string& name) override { return memory_.CheckTable(name); }
  base::Result<std::unique_ptr<storage::Engine>> Checkpoint(const std::string& directory) override {
    return memory_.Checkpoint(directory);
  }
  storage::EngineStats stats() const override { return memory_.stats(); }
  std::vector<storage::FamilySize> Families() const override { return memory_.Families(); }
  std::uint64_t ApproximateBytes(Family family, base::Bytes begin, base::Bytes end) const override {
    return memory_.ApproximateBytes(family, begin, end);
  }

 private:
  std::shared_ptr<storage::MemoryDisk> disk_ = std::make_shared<storage::MemoryDisk>();
  storage::MemoryEngine memory_{disk_};
  std::vector<Asked> writes_;  // By the lane only.
};

bool Holds(storage::Engine& engine, base::Bytes key, base::Bytes value) {
  const auto found = storage::GetOne(engine, Family::kData, key);
  return found.has_value() && *found == value;
}

// A worker's batch, which looks when it is told that it is done.
struct TestJob final : CommitJob {
  TestJob(CountingEngine& home, std::string key_to_write)
      : engine(home), key(std::move(key_to_write)) {
    batch.Put(Family::kData, key, "value");
  }
  void Done() override {
    visible_when_done = Holds(engine, key, "value");
    synced_when_done = engine.disk().unsynced_writes() == 0;
    ++done;  // Last: whoever waits for it reads the others.
  }

  CountingEngine& engine;
  const std::string key;
  std::atomic<int> done = 0;
  bool visible_when_done = false;
  bool synced_when_done = false;
};

using Asked = std::vector<CountingEngine::Asked>;

TEST_SUITE("server/committer") {
  TEST_CASE("an idle node's job is a write of its own") {
    CountingEngine engine;
    LaneWorld world;
    std::string kept;
    storage::MemoryGuard guard(kept);
    Committer committer(engine, guard, Durability::kGroup);
    TestJob a(engine, "a");
    committer.Submit(world, a);
    EXPECT(engine.writes().empty());  // Nothing before the lane: a worker never waits for a disk.
    EXPECT(a.done == 0);
    world.RunNext();
    EXPECT(a.done == 1);
    EXPECT(a.status.ok());
    EXPECT(engine.writes() == Asked{{1, storage::Sync::kYes}});
  }

  TEST_CASE("jobs submitted meanwhile go along with the first, as one write with one sync") {
    CountingEngine engine;
    LaneWorld world;
    std::string kept;
    storage::MemoryGuard guard(kept);
    Committer committer(engine, guard, Durability::kGroup);
    TestJob a(engine, "a"), b(engine, "b"), c(engine, "c");
    for (TestJob* job : {&a, &b, &c}) committer.Submit(world, *job);
    for (TestJob* job : {&a, &b, &c}) {
      EXPECT(job->done == 0);
      world.RunNext();
      EXPECT(job->done == 1);
      EXPECT(job->status.ok());
      EXPECT(job->visible_when_done);
      EXPECT(job->synced_when_done);
    }
    EXPECT(engine.writes() == Asked{{3, storage::Sync::kYes}});
    EXPECT(world.waiting() == 0);
  }

  TEST_CASE("what comes after a write has begun is the next write") {
    CountingEngine engine;
    LaneWorld world;
    std::string kept;
    storage::MemoryGuard guard(kept);
    Committer committer(engine, guard, Durability::kGroup);
    TestJob a(engine, "a"), b(engine, "b"), c(engine, "c");
    committer.Submit(world, a);
    committer.Submit(world, b);
    world.RunNext();
    committer.Submit(world, c);
    EXPECT(!Holds(engine, "c", "value"));
    world.RunNext();  // Of b, which is written already.
    EXPECT(!Holds(engine, "c", "value"));
    world.RunNext();
    EXPECT(Holds(engine, "c", "value"));
    EXPECT(engine.writes() == Asked{{2, storage::Sync::kYes}, {1, storage::Sync::kYes}});
  }

  TEST_CASE("of two batches that write one key the later one wins") {
    CountingEngine engine;
    LaneWorld world;
    std::string kept;
    storage::MemoryGuard guard(kept);
    Committer committer(engine, guard, Durability::kGroup);
    TestJob a(engine, "key"), b(engine, "key");
    b.batch.Put(Family::kData, "key", "later");
    committer.Submit(world, a);
    committer.Submit(world, b);
    world.RunNext();
    EXPECT(Holds(engine, "key", "later"));
    world.RunNext();
  }

  TEST_CASE("a job can be used again") {
    CountingEngine engine;
    LaneWorld world;
    std::string kept;
    storage::MemoryGuard guard(kept);
    Committer committer(engine, guard, Durability::kGroup);
    TestJob a(engine, "a");
    for (const std::string value : {"first", "second"}) {
      a.batch.Clear();
      a.batch.Put(Family::kData, "a", value);
      committer.Submit(world, a);
      world.RunNext();
      EXPECT(Holds(engine, "a", value));
    }
    EXPECT(a.done == 2);
  }
}

TEST_SUITE("server/committer: durability") {
  TEST_CASE("group: what is done survives a power loss; periodic: it may not, but a kill") {
    CountingEngine engine;
    LaneWorld world;
    const auto commit = [&](Durability durability) {
      std::string kept;
      storage::MemoryGuard guard(kept);
      Committer committer(engine, guard, durability);
      TestJob a(engine, "a");
      committer.Submit(world, a);
      world.RunNext();
      REQUIRE(a.status.ok());
      EXPECT(a.visible_when_done);
      EXPECT(a.synced_when_done == (durability == Durability::kGroup));
      engine.disk().Crash(0);
    };
    SUBCASE("group") {
      commit(Durability::kGroup);
      EXPECT(Holds(engine, "a", "value"));
    }
    SUBCASE("periodic") {
      commit(Durability::kPeriodic);
      EXPECT(engine.writes() == Asked{{1, storage::Sync::kNo}});
      EXPECT(!Holds(engine, "a", "value"));
    }
  }

  TEST_CASE("a failed write fails every job that went along, and changes nothing") {
    CountingEngine engine;
    LaneWorld world;
    std::string kept;
    storage::MemoryGuard guard(kept);
    Committer committer(engine, guard, Durability::kGroup);
    TestJob a(engine, "a"), b(engine, "b");
    committer.Submit(world, a);
    committer.Submit(world, b);
    engine.disk().FailWrites(base::Io("no space left"));
    world.RunNext();
    world.RunNext();
    for (const TestJob* job : {&a, &b}) {
      EXPECT(job->done == 1);
      EXPECT(job->status == base::Io("no space left"));
      EXPECT(!job->visible_when_done);
    }
    EXPECT(engine.writes().size() == 1);
  }
}

TEST_SUITE("server/committer: threads") {
  TEST_CASE("workers submit while the lane writes: each job is written once, before it is done") {
    constexpr int kWorkers = 4, kTurns = 300;
    CountingEngine engine;
    LaneWorld world;
    std::string kept;
    storage::MemoryGuard guard(kept);
    Committer committer(engine, guard, Durability::kGroup);
    std::atomic<int> bad = 0;
    std::vector<std::thread> threads;
    threads.reserve(kWorkers);
    for (int w = 0; w < kWorkers; ++w) {
      threads.emplace_back([&, w] {
        TestJob job(engine, "worker " + std::to_string(w));
        for (int turn = 1; turn <= kTurns; ++turn) {
          committer.Submit(world, job);
          while (job.done < turn) std::this_thread::yield();
          if (!job.status.ok() || !job.visible_when_done || !job.synced_when_done) ++bad;
        }
      });
    }
    for (int i = 0; i < kWorkers * kTurns; ++i) world.RunNext();
    for (std::thread& thread : threads) thread.join();
    EXPECT(bad == 0);
    std::size_t batches = 0;
    for (const auto& write : engine.writes()) batches += write.batches;
    EXPECT(batches == kWorkers * kTurns);
  }
}

}  // namespace
}  // namespace starling::server
