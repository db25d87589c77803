// Goal:   a data directory says whose it is, counts starts, and refuses what it can't understand.
// Method: the records over the engine in memory, well-formed, missing and damaged.
#include "storage/identity.h"

#include "storage/memory_engine.h"
#include "tests/storage/engine_suite.h"
#include "tests/test.h"

namespace starling::storage {
namespace {

struct Directory {
  std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
  MemoryEngine engine{disk};
};

const Identity kMember{.host = {1, 2}, .cluster_name = "orders", .cluster_id = {3, 4}};

void Save(Engine& engine, const Identity& identity) {
  Batch batch;
  SaveIdentity(batch, identity);
  REQUIRE(WriteOne(engine, batch).ok());
}

void PutMeta(Engine& engine, base::Bytes key, base::Bytes value) {
  REQUIRE(WriteOne(engine, PutBatch(key, value, Family::kMeta)).ok());
}

TEST_SUITE("storage/identity") {
  TEST_CASE("an empty directory has no identity") {
    Directory directory;
    const auto loaded = LoadIdentity(directory.engine);
    REQUIRE(loaded.has_value());
    EXPECT(!loaded->has_value());
  }

  TEST_CASE("an identity comes back as it was saved, before and after a cluster is known") {
    Directory directory;
    for (const Identity& identity : {Identity{.host = {1, 2}, .cluster_name = ""}, kMember}) {
      Save(directory.engine, identity);
      const auto loaded = LoadIdentity(directory.engine);
      REQUIRE(loaded.has_value());
      EXPECT(*loaded == identity);
    }
  }

  TEST_CASE("a directory of a newer format is refused, naming both formats") {
    Directory directory;
    Save(directory.engine, kMember);
    PutMeta(directory.engine, "format", std::string("\x03\0\0\0", 4));
    const auto loaded = LoadIdentity(directory.engine);
    REQUIRE(!loaded.has_value());
    EXPECT(loaded.error().code() == base::Code::kFailedPrecondition);
    EXPECT(loaded.error().message().find("format 3") != std::string::npos);
    EXPECT(loaded.error().message().find("up to 2") != std::string::npos);
  }

  TEST_CASE("a directory of an older format is read, and has the newer one once that is saved") {
    Directory directory;
    Save(directory.engine, kMember);
    PutMeta(directory.engine, "format", std::string("\x01\0\0\0", 4));
    EXPECT(**LoadIdentity(directory.engine) == kMember);
    Batch batch;
    SaveFormat(batch);
    REQUIRE(WriteOne(directory.engine, batch).ok());
    EXPECT(*GetOne(directory.engine, Family::kMeta, "format") == std::string("\x02\0\0\0", 4));
    EXPECT(**LoadIdentity(directory.engine) == kMember);
  }

  TEST_CASE("damaged records are Corruption") {
    Directory directory;
    Save(directory.engine, kMember);
    SUBCASE("a format of the wrong length") { PutMeta(directory.engine, "format", "1"); }
    SUBCASE("a format that never was") {
      PutMeta(directory.engine, "format", std::string(4, '\0'));
    }
    SUBCASE("ids cut short") { PutMeta(directory.engine, "identity", std::string(31, 'x')); }
    SUBCASE("no host") { PutMeta(directory.engine, "identity", std::string(32, '\0')); }
    SUBCASE("half of the pair missing") {
      Batch batch;
      SUBCASE("the identity") { batch.Delete(Family::kMeta, "identity"); }
      SUBCASE("the format") { batch.Delete(Family::kMeta, "format"); }
      REQUIRE(WriteOne(directory.engine, batch).ok());
    }
    const auto loaded = LoadIdentity(directory.engine);
    REQUIRE(!loaded.has_value());
    EXPECT(loaded.error().code() == base::Code::kCorruption);
  }

  TEST_CASE("no start has the number 0, and the last one counts") {
    Directory directory;
    EXPECT(LastBoot(directory.engine) == std::uint64_t{0});
    Batch batch;
    SaveBoot(batch, 3);
    REQUIRE(WriteOne(directory.engine, batch).ok());
    EXPECT(LastBoot(directory.engine) == std::uint64_t{3});
  }

  TEST_CASE("a start that can't be counted fails") {
    Directory directory;
    PutMeta(directory.engine, "boot", "x");
    EXPECT(LastBoot(directory.engine).error().code() == base::Code::kCorruption);
  }

  TEST_CASE("the clock's bound is 0 until it is saved, and the last one counts") {
    Directory directory;
    EXPECT(LoadClockBound(directory.engine) == std::uint64_t{0});
    Batch batch;
    SaveClockBound(batch, 5);
    SaveClockBound(batch, 1764000000000ULL << 16);
    REQUIRE(WriteOne(directory.engine, batch).ok());
    EXPECT(LoadClockBound(directory.engine) == 1764000000000ULL << 16);
  }
}

}  // namespace
}  // namespace starling::storage
