// benchmarks/storage/table_cost.cc: what an entry costs that is written, and one that is added.
//
// As an emptied node fills up: entries of 256 slices come in key order, those of some slices side
// by side. One database takes them as batches, each synced, until it has flushed and compacted all;
// the other as tables (Engine::AddTables). In alternating rounds; prints the CPU time of the whole
// process an entry, RocksDB's threads included, and their ratio.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "storage/rocksdb/rocksdb_engine.h"

namespace {

using namespace starling;  // NOLINT: this file is nothing but their front.
using storage::Family;
using storage::SortedEntry;

constexpr std::size_t kSlicesOfAll = 256;
constexpr std::size_t kSideBySide = 8;
constexpr std::size_t kPageEntries = 512;
constexpr std::size_t kValueBytes = 148;
constexpr int kQuietLooks = 3;
constexpr int kLooksMax = 1200;
constexpr std::chrono::milliseconds kLookEvery{50};

struct Options {
  std::string directory;
  std::size_t entries = 1'000'000;
  int rounds = 3;
};

struct Entry {
  std::string key, value;
};
using Slice = std::vector<Entry>;

std::vector<Slice> MakeSlices(std::size_t entries) {
  base::Random random(1);
  std::vector<Slice> slices(kSlicesOfAll);
  for (std::size_t slice = 0; slice < kSlicesOfAll; ++slice) {
    for (std::size_t i = 0; i < entries / kSlicesOfAll; ++i) {
      Entry& entry = slices[slice].emplace_back();
      base::AppendBig(entry.key, std::uint32_t{1});
      base::AppendBig(entry.key, (std::uint64_t{slice} << 56) | (random.Next() >> 8));
      entry.key += "user:0123456789a";
      for (std::size_t byte = 0; byte < kValueBytes; ++byte)
        entry.value += static_cast<char>('a' + random.Below(20));
    }
    std::ranges::sort(slices[slice], {}, &Entry::key);
  }
  return slices;
}

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

base::Status WriteAll(storage::Engine& engine, const std::vector<Slice>& slices) {
  storage::Batch batch;
  for (std::size_t group = 0; group < slices.size(); group += kSideBySide)
    for (std::size_t from = 0; from < slices[group].size(); from += kPageEntries) {
      batch.Clear();
      for (std::size_t slice = group; slice < group + kSideBySide; ++slice)
        for (std::size_t i = from; i < std::min(from + kPageEntries, slices[slice].size()); ++i)
          batch.Put(Family::kData, slices[slice][i].key, slices[slice][i].value);
      const storage::Batch* const batches[] = {&batch};
      RETURN_IF_ERROR(engine.Write(batches, storage::Sync::kYes));
    }
  RETURN_IF_ERROR(engine.Flush());
  int quiet = 0;
  std::uint64_t compacted = 0;
  for (int look = 0; look < kLooksMax && quiet < kQuietLooks; ++look) {
    std::this_thread::sleep_for(kLookEvery);
    const storage::EngineStats stats = engine.stats();
    const bool same = stats.compaction_bytes_written == compacted;
    quiet = same && stats.pending_compaction_bytes == 0 ? quiet + 1 : 0;
    compacted = stats.compaction_bytes_written;
  }
  return base::Ok();
}

base::Status AddAll(storage::Engine& engine, const std::vector<Slice>& slices) {
  std::vector<SortedEntry> table;
  for (const Slice& slice : slices) {
    table.clear();
    for (const Entry& entry : slice) table.push_back({entry.key, entry.value});
    const std::span<const SortedEntry> tables[] = {table};
    RETURN_IF_ERROR(engine.AddTables(Family::kData, tables));
  }
  return base::Ok();
}

using Filling = base::Status (*)(storage::Engine&, const std::vector<Slice>&);

// The CPU time of an entry, in us.
base::Result<double> Measure(const std::string& directory, Filling fill,
                             const std::vector<Slice>& slices) {
  ASSIGN_OR_RETURN(const auto engine,
                   storage::RocksDbEngine::Open(
                       {.directory = directory, .memtable_bytes = std::size_t{64} << 20}));
  const double before = CpuSeconds();
  RETURN_IF_ERROR(fill(*engine, slices));
  const auto entries = static_cast<double>(slices.size() * slices.front().size());
  return (CpuSeconds() - before) * 1e6 / entries;
}

base::Status Run(const Options& options) {
  const std::vector<Slice> slices = MakeSlices(options.entries);
  for (int round = 0; round < options.rounds; ++round) {
    const auto directory = [&](const char* kind) {
      return fmt::format("{}/{}-{}", options.directory, kind, round);
    };
    ASSIGN_OR_RETURN(const double written, Measure(directory("written"), WriteAll, slices));
    ASSIGN_OR_RETURN(const double added, Measure(directory("added"), AddAll, slices));
    fmt::print("us of CPU an entry: written {:.2f}, added {:.2f}, ratio {:.2f}\n", written, added,
               written / added);
    std::fflush(stdout);
  }
  return base::Ok();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("What an entry costs that is written to an engine, and one that is added.");
  Options options;
  app.add_option("--dir", options.directory, "an empty directory")->required();
  app.add_option("--entries", options.entries, "in each database")->capture_default_str();
  app.add_option("--rounds", options.rounds, "of both")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (options.entries < kSlicesOfAll || options.rounds < 1) {
    fmt::print(stderr, "table_cost: at least {} entries and 1 round\n", kSlicesOfAll);
    return 2;
  }
  const base::Status status = Run(options);
  if (!status.ok()) fmt::print(stderr, "table_cost: {}\n", status.message());
  return status.ok() ? 0 : 1;
}
