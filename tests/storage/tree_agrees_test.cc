// Goal:   the tree kept up write by write never differs from the data, whatever happened to both.
// Method: random lives on the engine in memory; tests/storage/rocksdb runs the same on RocksDB.
#include <memory>

#include "tests/storage/memory_machine.h"
#include "tests/storage/tree_history.h"
#include "tests/test.h"

namespace starling::storage {
namespace {

constexpr std::uint64_t kSeeds = 50;
constexpr int kTurns = 100;

TEST_SUITE("storage/tree_agrees") {
  TEST_CASE("after any history the tree equals the one recomputed from the data") {
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
      MemoryMachine machine;
      RunTreeHistory(machine, seed, kTurns);
    }
  }

  TEST_CASE("the law notices a leaf that was not written with its data") {
    MemoryMachine machine;
    TreeWorker worker(machine.engine());
    const Change change{.keyspace = 1, .key = "k", .version = {5, 1, 1}, .value = "v"};
    worker.Apply(change);
    worker.EndTurn(Sync::kNo);
    REQUIRE(worker.Agrees());
    const Entries records = ScanAll(machine.engine(), Family::kTree);
    REQUIRE(records.size() == 1);  // Of the journal.
    std::string changed = records[0].second;
    Batch batch;
    SUBCASE("forgotten") { batch.Delete(Family::kTree, records[0].first); }
    SUBCASE("of another time") {
      changed.back() = static_cast<char>(changed.back() ^ 1);
      batch.Put(Family::kTree, records[0].first, changed);
    }
    SUBCASE("of another bucket") {
      const std::size_t bucket_at = changed.size() - merkle::Digest::kSize - 1;
      changed[bucket_at] = static_cast<char>(changed[bucket_at] ^ 1);
      batch.Put(Family::kTree, records[0].first, changed);
    }
    REQUIRE(WriteOne(machine.engine(), batch).ok());
    EXPECT(!worker.Agrees());
    EXPECT(!TreeWorker(machine.engine()).Agrees());
  }
}

}  // namespace
}  // namespace starling::storage
