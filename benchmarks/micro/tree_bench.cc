// benchmarks/micro/tree_bench.cc: what a write costs in the hash tree, and what comparing two does.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/random.h"
#include "benchmarks/micro/allocations.h"
#include "merkle/compare.h"
#include "merkle/tree.h"

namespace starling::merkle {
namespace {

constexpr std::size_t kEntries = 1 << 20;
constexpr std::size_t kWritesPerTurn = 32;
constexpr std::uint64_t kSeed = 7;

std::uint16_t BucketOfEntry(std::uint64_t entry) { return base::BucketOf(base::Mix64(entry)); }

EntryFacts FactsOf(std::uint64_t version) {
  return {.version = {version, 1, 1}, .value_digest = base::Mix64(version)};
}

// A tree of 1,048,576 entries: 16 a bucket.
const Tree& Full() {
  static const std::unique_ptr<Tree> tree = [] {
    auto made = std::make_unique<Tree>(1);
    for (std::uint64_t entry = 0; entry < kEntries; ++entry) {
      const std::string key = "user" + std::to_string(entry);
      made->Add(BucketOfEntry(entry), DigestOf(key, FactsOf(1), kSeed));
    }
    made->ClearDirty();
    return made;
  }();
  return *tree;
}

// Adds and removes as a replica does for each write: the old entry out, the new one in, both
// hashed, and every 32 writes the changed leaves are taken.
void ReplaceEntry(benchmark::State& state) {
  Tree tree(1);
  for (std::uint32_t bucket = 0; bucket < base::kBuckets; ++bucket) {
    tree.Load(static_cast<std::uint16_t>(bucket), Full().Leaf(static_cast<std::uint16_t>(bucket)));
  }
  const std::string key = "user0000000123";
  const micro::AllocationCount count;
  std::uint64_t version = 1;
  for (auto _ : state) {
    const std::uint16_t bucket = BucketOfEntry(version);
    tree.Remove(bucket, DigestOf(key, FactsOf(version), kSeed));
    tree.Add(bucket, DigestOf(key, FactsOf(version + 1), kSeed));
    if (++version % kWritesPerTurn == 0) {
      benchmark::DoNotOptimize(tree.dirty().data());
      tree.ClearDirty();
    }
  }
  count.Report(state);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(ReplaceEntry);

// The one digest that two nodes in step exchange.
void SumAllBuckets(benchmark::State& state) {
  const Tree& tree = Full();
  const BucketSet all = BucketSet::All();
  for (auto _ : state) benchmark::DoNotOptimize(tree.Sum(all));
}
BENCHMARK(SumAllBuckets)->Unit(benchmark::kMicrosecond);

// The second step: which slices differ.
void SumEachSlice(benchmark::State& state) {
  const Tree& tree = Full();
  const BucketSet all = BucketSet::All();
  for (auto _ : state) {
    for (std::uint32_t slice = 0; slice < base::kSlices; ++slice)
      benchmark::DoNotOptimize(tree.SliceSum(static_cast<std::uint8_t>(slice), all));
  }
}
BENCHMARK(SumEachSlice)->Unit(benchmark::kMicrosecond);

// The third: within a slice that differs, both sides' leaves, and what differs between them.
void CompareOneSlice(benchmark::State& state) {
  const Tree& mine = Full();
  Tree theirs(1);
  constexpr std::uint8_t kSlice = 42;
  for (std::uint32_t leaf = 0; leaf < base::kLeavesPerSlice; ++leaf) {
    const std::uint16_t bucket = base::BucketAt(kSlice, static_cast<std::uint8_t>(leaf));
    theirs.Load(bucket, mine.Leaf(bucket));
  }
  theirs.Add(base::BucketAt(kSlice, 9), DigestOf("one more", FactsOf(2), kSeed));
  const BucketSet all = BucketSet::All();
  std::uint64_t salt = 0;
  for (auto _ : state) {
    const SliceHashes a = HashSlice(mine, kSlice, all, ++salt);
    const SliceHashes b = HashSlice(theirs, kSlice, all, salt);
    const std::vector<std::uint16_t> differing = DifferingBuckets(kSlice, a, b);
    if (differing.size() != 1) state.SkipWithError("not the one bucket that differs was found");
  }
}
BENCHMARK(CompareOneSlice)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace starling::merkle
