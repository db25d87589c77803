// Goal:   a flush or a compaction that finds no room loses nothing, and goes on once there is some.
// Method: a file system on which tables cannot grow while it is full, but the log can; then one
//         that lets them grow again.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "tests/storage/engine_suite.h"
#include "tests/storage/rocksdb/rocksdb_machine.h"
#include "tests/test.h"

namespace starling::storage {
namespace {

// Each one table of family `data`, overlapping the others; of four RocksDB makes one by itself.
constexpr int kRuns = 3;
constexpr int kEntries = 50;
constexpr std::chrono::seconds kRoomSeenMax{60};

// A machine, what it runs on, and what it acknowledged.
struct Life {
  std::shared_ptr<UnsyncedFs> fs = std::make_shared<UnsyncedFs>();
  RocksDbMachine machine{fs};
  Entries acknowledged;

  base::Status Write(int run) {
    for (int i = 0; i < kEntries; ++i) {
      std::string key = fmt::format("k{:03}-{}", i, run);
      std::string value = std::string(200, static_cast<char>('a' + run));
      RETURN_IF_ERROR(WriteOne(machine.engine(), PutBatch(key, value), Sync::kYes));
      acknowledged.emplace_back(std::move(key), std::move(value));
    }
    return base::Ok();
  }

  // All that was acknowledged, now and after a power loss.
  void ExpectAll() {
    std::ranges::sort(acknowledged);
    EXPECT(ScanAll(machine.engine(), Family::kData) == acknowledged);
    base::Random random(1);
    machine.LosePower(random);
    EXPECT(ScanAll(machine.engine(), Family::kData) == acknowledged);
  }
};

void ExpectNoSpace(const base::Status& status) {
  EXPECT(status.code() == base::Code::kIo);
  EXPECT(status.message().find("No space left") != std::string::npos);
}

// RocksDB looks for room every 5 s, by the machine's clock, and says nothing when it has found
// some.
template <typename Call>
bool WorksInTime(Call&& call) {
  const auto ends = std::chrono::steady_clock::now() + kRoomSeenMax;
  while (!call().ok()) {
    if (std::chrono::steady_clock::now() > ends) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST_SUITE("storage/rocksdb/no_space") {
  TEST_CASE("a compaction without room fails; writes go on, and so do compactions with room") {
    Life life;
    for (int run = 0; run < kRuns; ++run) {
      REQUIRE(life.Write(run).ok());
      REQUIRE(life.machine.engine().Flush().ok());
    }
    life.fs->SetFull(true);
    ExpectNoSpace(life.machine.engine().Compact());
    EXPECT(life.Write(kRuns).ok());
    life.fs->SetFull(false);
    EXPECT(WorksInTime([&] { return life.machine.engine().Compact(); }));
    life.ExpectAll();
  }

  TEST_CASE("compactions find room again also after a start that has something to compact") {
    Life life;
    const auto write_hints = [&life](int run) {
      Batch hints;  // From one end to the other: the tables overlap. More than RocksDB keeps free.
      hints.Put(Family::kHints, fmt::format("a{}", run), Noise(60'000));
      hints.Put(Family::kHints, fmt::format("z{}", run), Noise(60'000));
      REQUIRE(WriteOne(life.machine.engine(), hints, Sync::kYes).ok());
    };
    REQUIRE(life.Write(0).ok());
    for (int run = 0; run < kRuns; ++run) {
      write_hints(run);
      REQUIRE(life.machine.engine().Flush().ok());
    }
    write_hints(kRuns);  // A start makes a table of it, and RocksDB then one of all of them.
    life.machine.Kill([&life] { life.fs->ListAfterOthers(); });
    life.fs->SetFull(true);
    ExpectNoSpace(life.machine.engine().Compact());
    life.fs->SetFull(false);
    EXPECT(WorksInTime([&] { return life.machine.engine().Compact(); }));
    life.ExpectAll();
  }

  TEST_CASE("a start without room for what its log holds removes tables that were never finished") {
    Life life;
    for (int run = 0; run < kRuns; ++run) {
      REQUIRE(life.machine.engine().Flush().ok());
      REQUIRE(life.Write(run).ok());
    }
    const std::string orphan = life.machine.directory() + "/000001.sst";
    const std::string others = life.machine.directory() + "/salvaged-1-data.sst";
    life.machine.Kill([&] {
      std::ofstream(orphan) << "a part of a table";
      std::ofstream(others) << "what was saved of a damaged table";
      life.fs->SetFullUntilDeleted(orphan);
    });
    EXPECT(!std::filesystem::exists(orphan));
    EXPECT(std::filesystem::exists(others));
    life.ExpectAll();
  }

  TEST_CASE("a start without room says so, loses nothing, and works once there is some") {
    Life life;
    REQUIRE(life.Write(0).ok());
    life.fs->SetFull(true);
    const auto options = SmallOptions(life.machine.directory(), life.fs);
    life.machine.Kill([&] {
      for (int i = 0; i < 2; ++i) {
        const auto opened = RocksDbEngine::Open(options);
        REQUIRE(!opened.has_value());
        ExpectNoSpace(opened.error());
      }
      life.fs->SetFull(false);
    });
    life.ExpectAll();
  }

  TEST_CASE("a flush without room is made up for by itself, if there was no write meanwhile") {
    Life life;
    REQUIRE(life.Write(0).ok());
    life.fs->SetFull(true);
    ExpectNoSpace(life.machine.engine().Flush());
    EXPECT(life.machine.engine().stats().background_errors > 0);
    life.fs->SetFull(false);
    EXPECT(WorksInTime([&] { return life.machine.engine().Flush(); }));
    EXPECT(life.Write(1).ok());
    life.ExpectAll();
  }

  TEST_CASE("a write after a flush without room fails, as do all that follow, until a new start") {
    Life life;
    REQUIRE(life.Write(0).ok());
    life.fs->SetFull(true);
    ExpectNoSpace(life.machine.engine().Flush());
    ExpectNoSpace(life.Write(1));
    life.fs->SetFull(false);
    ExpectNoSpace(life.Write(1));
    life.ExpectAll();
    EXPECT(life.Write(1).ok());
  }
}

}  // namespace
}  // namespace starling::storage
