// Goal:   the engine in memory does what every engine does, and what the simulator asks besides.
// Method: the shared suite; then crashes, failures and misses that only a simulated disk can have.
#include "storage/memory_engine.h"

#include <fmt/core.h>

#include <thread>

#include "tests/storage/engine_suite.h"
#include "tests/storage/memory_machine.h"
#include "tests/test.h"

namespace starling::storage {
namespace {

TEST_SUITE("storage/memory_engine") {
  TEST_CASE("the engine in memory") {
    RunEngineSuite([] { return std::make_unique<MemoryMachine>(); });
  }

  TEST_CASE("a crash keeps exactly as many unsynced writes as it is told") {
    auto disk = std::make_shared<MemoryDisk>();
    auto engine = std::make_unique<MemoryEngine>(disk);
    REQUIRE(WriteOne(*engine, PutBatch("a", "synced"), Sync::kYes).ok());
    REQUIRE(WriteOne(*engine, PutBatch("a", "1")).ok());
    Batch batch;
    batch.Delete(Family::kData, "a");
    batch.Put(Family::kData, "b", "2");
    REQUIRE(WriteOne(*engine, batch).ok());
    REQUIRE(WriteOne(*engine, PutBatch("a", "3")).ok());
    EXPECT(disk->unsynced_writes() == 3);
    engine.reset();
    SUBCASE("none") {
      disk->Crash(0);
      EXPECT(ScanAll(*std::make_unique<MemoryEngine>(disk), Family::kData) ==
             Entries{{"a", "synced"}});
    }
    SUBCASE("two of three") {
      disk->Crash(2);
      EXPECT(ScanAll(*std::make_unique<MemoryEngine>(disk), Family::kData) == Entries{{"b", "2"}});
    }
    SUBCASE("all, and what it kept is synced by then") {
      disk->Crash(3);
      EXPECT(disk->unsynced_writes() == 0);
      disk->Crash(0);
      EXPECT(ScanAll(*std::make_unique<MemoryEngine>(disk), Family::kData) ==
             Entries{{"a", "3"}, {"b", "2"}});
    }
  }

  TEST_CASE("a disk that fails takes no write and loses none") {
    auto disk = std::make_shared<MemoryDisk>();
    MemoryEngine engine(disk);
    REQUIRE(WriteOne(engine, PutBatch("a", "1")).ok());
    disk->FailWrites(base::Io("writing to the log: no space left"));
    EXPECT(WriteOne(engine, PutBatch("a", "2")).code() == base::Code::kIo);
    EXPECT(WriteOne(engine, PutBatch("a", "2"), Sync::kYes).code() == base::Code::kIo);
    EXPECT(engine.SyncLog().code() == base::Code::kIo);
    EXPECT(engine.Flush().code() == base::Code::kIo);
    EXPECT(disk->unsynced_writes() == 1);
    EXPECT(ScanAll(engine, Family::kData) == Entries{{"a", "1"}});
    disk->FailWrites(base::Ok());
    EXPECT(WriteOne(engine, PutBatch("a", "2"), Sync::kYes).ok());
  }

  TEST_CASE("misses are drawn from the seed, and only for reads of the cache") {
    auto disk = std::make_shared<MemoryDisk>();
    const auto misses = [&disk](double probability, std::uint64_t seed, Tier tier) {
      MemoryEngine engine(disk, {.miss_probability = probability, .seed = seed});
      REQUIRE(WriteOne(engine, PutBatch("a", "1")).ok());
      std::string drawn;
      for (int i = 0; i < 200; ++i)
        drawn +=
            GetMany(engine, Family::kData, {"a"}, tier)[0].found == Found::kNotCached ? '1' : '0';
      return drawn;
    };
    const std::string none(200, '0');
    EXPECT(misses(0, 1, Tier::kCacheOnly) == none);
    EXPECT(misses(0.5, 1, Tier::kAll) == none);
    EXPECT(misses(0.5, 1, Tier::kCacheOnly) != none);
    EXPECT(misses(0.5, 1, Tier::kCacheOnly) == misses(0.5, 1, Tier::kCacheOnly));
    EXPECT(misses(0.5, 1, Tier::kCacheOnly) != misses(0.5, 2, Tier::kCacheOnly));
    EXPECT(misses(1, 1, Tier::kCacheOnly) == std::string(200, '1'));
  }

  TEST_CASE("readers on other threads see whole writes only") {
    auto disk = std::make_shared<MemoryDisk>();
    MemoryEngine engine(disk);
    std::thread reader([&engine] {
      for (int i = 0; i < 2000; ++i) {
        const auto both = GetMany(engine, Family::kData, {"a", "b"});
        EXPECT(both[0] == both[1]);
      }
    });
    for (int i = 0; i < 2000; ++i) {
      Batch batch;
      batch.Put(Family::kData, "a", fmt::format("{}", i));
      batch.Put(Family::kData, "b", fmt::format("{}", i));
      EXPECT(WriteOne(engine, batch, i % 16 == 0 ? Sync::kYes : Sync::kNo).ok());
    }
    reader.join();
  }
}

}  // namespace
}  // namespace starling::storage
