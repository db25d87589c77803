// Goal:   the tree never differs from the data on RocksDB either, flushes, log switches, kills and
//         power losses included.
// Method: the random lives of tests/storage/tree_history.h, with memtables of a few KiB.
#include "tests/storage/rocksdb/rocksdb_machine.h"
#include "tests/storage/tree_history.h"
#include "tests/stride.h"
#include "tests/test.h"

namespace starling::storage {
namespace {

constexpr int kTurns = 100;

TEST_SUITE("storage/rocksdb/tree_agrees") {
  TEST_CASE("after any history on the machine's disk the tree equals the recomputed one") {
    for (std::uint64_t seed = 1; seed <= 10; seed += Stride()) {
      RocksDbMachine machine;
      RunTreeHistory(machine, seed, kTurns);
    }
  }

  TEST_CASE("after any history on a disk that loses power the tree equals the recomputed one") {
    for (std::uint64_t seed = 1; seed <= 30; seed += Stride()) {
      RocksDbMachine machine(std::make_shared<UnsyncedFs>());
      RunTreeHistory(machine, seed, kTurns);
    }
  }
}

}  // namespace
}  // namespace starling::storage
