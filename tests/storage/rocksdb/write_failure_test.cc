// Goal:   no write is acknowledged that is not there after a restart, whichever I/O failed.
// Method: fail the nth write, sync, creation or rename for n = 1, 2, ... until none is left to
// fail,
//         once alone and once with all that follow; then lose power and compare.
#include <fmt/core.h>
#include <rocksdb/env.h>

#include <future>
#include <memory>
#include <vector>

#include "tests/storage/engine_suite.h"
#include "tests/storage/rocksdb/rocksdb_machine.h"
#include "tests/stride.h"
#include "tests/test.h"

namespace starling::storage {
namespace {

constexpr int kWrites = 12;
constexpr int kRunsAtOnce = 32;
constexpr std::uint64_t kFailuresMax = 1000;  // Above what the workload does.

// Writes numbered values and flushes in between. Returns how many writes were acknowledged, all of
// them synced; after one that failed, none may succeed any more.
int RunWorkload(Engine& engine) {
  int acknowledged = 0;
  bool failed = false;
  for (int i = 0; i < kWrites; ++i) {
    Batch batch = PutBatch(fmt::format("k{:03}", i), std::string(200, 'v'));
    batch.Put(Family::kTree, "last", fmt::format("{}", i));
    const base::Status status =
        i % 3 == 0 ? WriteOne(engine, batch, Sync::kYes) : WriteOne(engine, batch, Sync::kNo);
    const base::Status synced = status.ok() && i % 3 != 0 ? engine.SyncLog() : status;
    if (failed) EXPECT(!synced.ok());
    if (synced.ok())
      ++acknowledged;
    else
      failed = true;
    if (failed) EXPECT(synced.code() == base::Code::kIo);
    if (i % 5 == 4) engine.Flush().IgnoreError();  // It may be the one that meets the failure.
  }
  return acknowledged;
}

// Opens `directory` as it is after the power loss and compares it with what was acknowledged.
void ExpectAcknowledged(const std::string& directory, int acknowledged, std::uint64_t n) {
  auto reopened = RocksDbEngine::Open(SmallOptions(directory));
  const std::string outcome = reopened ? "reopened" : reopened.error().ToString();
  DOCTEST_INFO("I/O ", n, ": ", outcome);
  EXPECT(reopened.has_value());
  if (!reopened) return;
  const Entries entries = ScanAll(**reopened, Family::kData);
  EXPECT(entries.size() >= static_cast<std::size_t>(acknowledged));
  for (std::size_t i = 0; i < entries.size(); ++i)
    EXPECT(entries[i].first == fmt::format("k{:03}", i));
}

// One run in which the nth I/O fails. Returns whether there was an nth.
bool RunWithFailureAt(std::uint64_t n, UnsyncedFs::Failing failing, UnsyncedFs::Cause cause) {
  TempDirectory directory, survivors;
  auto fs = std::make_shared<UnsyncedFs>();
  base::Random random(n);
  std::unique_ptr<Engine> engine;
  int acknowledged = 0;
  fs->FailAt(n, failing, cause);
  if (auto opened = RocksDbEngine::Open(SmallOptions(directory.path(), fs))) {
    engine = *std::move(opened);
    acknowledged = RunWorkload(*engine);
  } else {
    EXPECT(opened.error().code() == base::Code::kIo);
    EXPECT(opened.error().message().find(directory.path()) != std::string::npos);
  }
  // While the engine is open: closing it could repair something.
  fs->SaveSurvivors(directory.path(), survivors.path(), random);
  ExpectAcknowledged(survivors.path(), acknowledged, n);
  return fs->has_failed();
}

void FailEach(UnsyncedFs::Failing failing, UnsyncedFs::Cause cause) {
  // RocksDB's thread rests for a second after a flush that failed, so runs go beside each other,
  // with threads enough for all.
  rocksdb::Env::Default()->SetBackgroundThreads(kRunsAtOnce, rocksdb::Env::HIGH);
  std::uint64_t failed = 0;
  bool all_failed = true;
  for (std::uint64_t n = 1; all_failed && n < kFailuresMax;) {
    std::vector<std::future<bool>> runs;
    for (int i = 0; i < kRunsAtOnce; ++i, n += Stride())
      runs.push_back(std::async(std::launch::async, RunWithFailureAt, n, failing, cause));
    for (std::future<bool>& run : runs) {
      const bool one_failed = run.get();
      failed += one_failed ? 1 : 0;
      all_failed = all_failed && one_failed;
    }
  }
  EXPECT(!all_failed);                      // All were tried.
  EXPECT(failed * Stride() > 2 * kWrites);  // A write is at least an append and a sync.
}

TEST_SUITE("storage/rocksdb/write_failure") {
  TEST_CASE("an I/O that fails once is never followed by a false acknowledgement") {
    FailEach(UnsyncedFs::Failing::kOnce, UnsyncedFs::Cause::kBroken);
  }

  TEST_CASE("a disk that fails from some point on keeps all that was acknowledged before") {
    FailEach(UnsyncedFs::Failing::kFromThenOn, UnsyncedFs::Cause::kBroken);
  }

  TEST_CASE("so does one that is full for a moment, and one that is full from some point on") {
    FailEach(UnsyncedFs::Failing::kOnce, UnsyncedFs::Cause::kFull);
    FailEach(UnsyncedFs::Failing::kFromThenOn, UnsyncedFs::Cause::kFull);
  }
}

}  // namespace
}  // namespace starling::storage
