// benchmarks/micro/storage_bench.cc: the RocksDB engine under what a node asks of it: batches in,
// with and without a sync, and reads that the block cache or the memtable answers.
//
// The database is in the machine's folder for temporary files (TMPDIR): its disk is what a sync
// costs.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "benchmarks/micro/allocations.h"
#include "storage/entry.h"
#include "storage/rocksdb/rocksdb_engine.h"
#include "tests/storage/temp_directory.h"

namespace starling::storage {
namespace {

constexpr std::uint64_t kKeys = 100'000;
constexpr std::size_t kValueBytes = 100;
constexpr base::KeyspaceId kKeyspace = 1;

std::string KeyOf(std::uint64_t number) {
  std::string bytes;
  const std::string key = "user" + std::to_string(number);
  EncodeDataKeyTo({.keyspace = kKeyspace, .token = base::Mix64(number), .key = key}, bytes);
  return bytes;
}

std::string EntryOf(std::uint64_t version) {
  const std::string value(kValueBytes, 'v');
  std::string bytes;
  EncodeEntryTo({.version = {version, 1, 1}, .value_digest = ValueDigest(value)}, value, bytes);
  return bytes;
}

struct Count final : GetSink {
  void OnFound(std::size_t, Found found, base::Bytes value, const base::Status&) override {
    found_all = found_all && found == Found::kValue;
    bytes += value.size();
  }
  bool found_all = true;
  std::size_t bytes = 0;
};

// An engine with all keys in its memtable.
class Database {
 public:
  Database() {
    RocksDbOptions options;
    options.directory = directory_.path() + "/db";
    auto opened = RocksDbEngine::Open(options);
    CHECK(opened.has_value());
    engine_ = std::move(*opened);
    Batch batch;
    const std::string entry = EntryOf(1);
    for (std::uint64_t number = 0; number < kKeys; ++number) {
      batch.Put(Family::kData, KeyOf(number), entry);
      if (batch.count() == 1000) Commit(batch, Sync::kNo);
    }
    Commit(batch, Sync::kYes);
  }

  Engine& engine() { return *engine_; }

  // To the disk, and from there each block once. False if a key was lost.
  bool MoveToBlockCache() {
    CHECK(engine_->Flush().ok());
    CHECK(engine_->Compact().ok());
    Count count;
    for (std::uint64_t number = 0; number < kKeys; ++number) {
      const std::string key = KeyOf(number);
      const base::Bytes asked[] = {key};
      engine_->Get(Family::kData, asked, Tier::kAll, count);
    }
    return count.found_all;
  }

  void Commit(Batch& batch, Sync sync) {
    const Batch* const batches[] = {&batch};
    CHECK(engine_->Write(batches, sync).ok());
    batch.Clear();
  }

 private:
  TempDirectory directory_;
  std::unique_ptr<Engine> engine_;
};

// A turn's writes as one atomic batch, of range(0) entries.
void Write(benchmark::State& state, Sync sync) {
  static Database database;
  const auto entries = static_cast<std::size_t>(state.range(0));
  std::vector<std::string> keys;
  for (std::uint64_t number = 0; number < kKeys; ++number) keys.push_back(KeyOf(number));
  const std::string entry = EntryOf(2);
  Batch batch;
  std::size_t next = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < entries; ++i) batch.Put(Family::kData, keys[next++ % kKeys], entry);
    database.Commit(batch, sync);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
void WriteBatch(benchmark::State& state) { Write(state, Sync::kNo); }
BENCHMARK(WriteBatch)->Arg(1)->Arg(32)->Arg(512)->Unit(benchmark::kMicrosecond);
// What a write in `group` durability waits for; by the clock, since the disk is what it waits for.
void WriteBatchSynced(benchmark::State& state) { Write(state, Sync::kYes); }
BENCHMARK(WriteBatchSynced)
    ->Arg(1)
    ->Arg(32)
    ->Arg(512)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

// A turn's reads, range(0) keys in one call, without the disk.
void Read(benchmark::State& state, Database& database, Tier tier) {
  const auto wanted = static_cast<std::size_t>(state.range(0));
  std::vector<std::string> keys;
  base::Random random(1);
  for (std::size_t i = 0; i < 4096; ++i) keys.push_back(KeyOf(random.Below(kKeys)));
  std::vector<base::Bytes> asked(wanted);
  Count count;
  std::size_t next = 0;
  const micro::AllocationCount allocations;
  for (auto _ : state) {
    for (base::Bytes& key : asked) key = keys[next++ % keys.size()];
    database.engine().Get(Family::kData, asked, tier, count);
  }
  allocations.Report(state);
  if (!count.found_all) state.SkipWithError("a key was not where it should be");
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void GetFromMemtable(benchmark::State& state) {
  static Database database;
  Read(state, database, Tier::kCacheOnly);
}
BENCHMARK(GetFromMemtable)->Arg(1)->Arg(32)->Unit(benchmark::kMicrosecond);

void ReadCached(benchmark::State& state, Tier tier) {
  static Database database;
  static const bool cached = database.MoveToBlockCache();
  CHECK(cached);
  Read(state, database, tier);
}
void GetFromBlockCache(benchmark::State& state) { ReadCached(state, Tier::kCacheOnly); }
BENCHMARK(GetFromBlockCache)->Arg(1)->Arg(32)->Unit(benchmark::kMicrosecond);
// What a worker's reads would cost if MultiGet kept to the cache (docs/decisions/0003).
void MultiGetFromBlockCache(benchmark::State& state) { ReadCached(state, Tier::kAll); }
BENCHMARK(MultiGetFromBlockCache)->Arg(32)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace starling::storage
