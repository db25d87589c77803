// Goal:   a checkpoint is the engine at one moment, all families at the same, and stays so.
// Method: make one while a thread writes numbered pairs over two families; then delete and compact
//         what it was made of.
#include <fmt/core.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "tests/storage/engine_suite.h"
#include "tests/storage/rocksdb/rocksdb_machine.h"
#include "tests/test.h"

namespace starling::storage {
namespace {

std::unique_ptr<Engine> Read(const std::string& directory) {
  return Opened(RocksDbEngine::OpenToRead(SmallOptions(directory)));
}

std::string CheckpointKey(int number) { return fmt::format("key{:06}", number); }

TEST_SUITE("storage/rocksdb/checkpoint") {
  TEST_CASE("made under writes it has a prefix of them, in all families the same") {
    RocksDbMachine machine;
    std::atomic<int> written = 0;
    std::atomic<bool> stop = false;
    std::thread writer([&] {
      for (int i = 0; !stop; ++i) {
        Batch batch = PutBatch(CheckpointKey(i), std::string(100, 'v'));
        batch.Put(Family::kTree, "count", fmt::format("{:08}", i + 1));
        if (!WriteOne(machine.engine(), batch).ok()) break;
        written = i + 1;
      }
    });
    while (written < 5000) std::this_thread::yield();
    const int before = written;
    const std::string directory = machine.directory() + "/snapshot";
    const auto made = machine.engine().Checkpoint(directory);
    const int after = written;
    stop = true;
    writer.join();
    const std::string outcome = made ? "made" : made.error().ToString();
    DOCTEST_INFO(outcome);
    REQUIRE(made.has_value());

    Engine& engine = **made;
    const auto count = static_cast<int>(ScanAll(engine, Family::kData).size());
    EXPECT(count >= before);
    EXPECT(count <= after + 1);  // One may have been written and not counted yet.
    EXPECT(GetMany(engine, Family::kTree, {"count"})[0].value == fmt::format("{:08}", count));
    EXPECT(GetMany(engine, Family::kData, {CheckpointKey(count - 1)})[0].found == Found::kValue);
  }

  TEST_CASE("it keeps what is deleted and compacted after it, and can be opened as a node's own") {
    RocksDbMachine machine;
    for (int i = 0; i < 100; ++i)
      REQUIRE(WriteOne(machine.engine(), PutBatch(CheckpointKey(i), "old"), Sync::kYes).ok());
    const std::string directory = machine.directory() + "/snapshot";
    REQUIRE(machine.engine().Checkpoint(directory).has_value());
    for (int i = 0; i < 100; ++i) {
      Batch batch;
      batch.Delete(Family::kData, CheckpointKey(i));
      REQUIRE(WriteOne(machine.engine(), batch, Sync::kYes).ok());
    }
    REQUIRE(machine.engine().Flush().ok());
    REQUIRE(machine.engine().Compact().ok());
    machine.Kill();  // The directory of snapshots is none of the start's business.
    EXPECT(ScanAll(machine.engine(), Family::kData).empty());
    EXPECT(ScanAll(*Read(directory), Family::kData).size() == 100);
    const auto reopened = RocksDbEngine::Open(SmallOptions(directory));
    REQUIRE(reopened.has_value());
    EXPECT(ScanAll(**reopened, Family::kData).size() == 100);
  }

  TEST_CASE("one that exists is left as it is") {
    RocksDbMachine machine;
    REQUIRE(WriteOne(machine.engine(), PutBatch("a", "1"), Sync::kYes).ok());
    const std::string directory = machine.directory() + "/snapshot";
    REQUIRE(machine.engine().Checkpoint(directory).has_value());
    REQUIRE(WriteOne(machine.engine(), PutBatch("b", "2"), Sync::kYes).ok());
    EXPECT(!machine.engine().Checkpoint(directory).has_value());
    EXPECT(ScanAll(*Read(directory), Family::kData) == Entries{{"a", "1"}});
  }

  TEST_CASE("what is opened to read can't be written, and is not changed by that") {
    RocksDbMachine machine;
    REQUIRE(WriteOne(machine.engine(), PutBatch("a", "1"), Sync::kYes).ok());
    const std::string directory = machine.directory() + "/snapshot";
    REQUIRE(machine.engine().Checkpoint(directory).has_value());
    const auto first = Read(directory);
    const auto second = Read(directory);  // Beside the first.
    EXPECT(!WriteOne(*first, PutBatch("b", "2"), Sync::kYes).ok());
    EXPECT(!first->Compact().ok());
    EXPECT(ScanAll(*second, Family::kData) == Entries{{"a", "1"}});
  }

  TEST_CASE("no directory of an engine: an error that names it, and nothing is made") {
    const TempDirectory empty;
    const std::string missing = empty.path() + "/none";
    for (const std::string& directory : {empty.path(), missing}) {
      const auto opened = RocksDbEngine::OpenToRead(SmallOptions(directory));
      REQUIRE(!opened.has_value());
      EXPECT(opened.error().code() == base::Code::kNotFound);
      EXPECT(opened.error().message().find(directory) != std::string::npos);
    }
    EXPECT(std::filesystem::is_empty(empty.path()));
  }
}

}  // namespace
}  // namespace starling::storage
