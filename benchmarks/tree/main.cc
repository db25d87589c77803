// benchmarks/tree/main.cc: tree_cost, which writes the same rows with the tree and without, in
// turns.
//
// Says one JSON object: for each way of keeping the tree, and each round, what a write took by the
// clock and of the process's CPU, flushes and compactions included. benchmarks/tree/run reads it.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <ctime>
#include <string>
#include <vector>

#include "base/random.h"
#include "benchmarks/tree/rocks_store.h"
#include "benchmarks/tree/writer.h"

namespace {

using namespace starling;              // NOLINT: this file is nothing but their front.
using namespace starling::benchmarks;  // NOLINT

struct Options {
  std::string directory;
  std::uint32_t keys = 500'000;
  std::uint32_t writes =
      10'000;  // Of a round: short, so that what disturbs one disturbs its neighbours.
  std::uint32_t rounds = 61;
  std::uint32_t turn = 32;  // Writes of one batch.
  std::size_t value_bytes = 100;
  bool sync = false;
  std::vector<std::string> ways;  // Empty: all.
};

struct Way {
  std::string name;
  TreeKept kept;
  std::unique_ptr<Writer> writer;
  // Of a write, by round: by the clock, of the process's CPU, and of the writing thread's.
  std::vector<double> wall_us, cpu_us, thread_us;
};

double CpuSeconds(clockid_t of) {
  timespec now{};
  clock_gettime(of, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

base::Result<std::unique_ptr<Store>> OpenStore(const StoreOptions& options, TreeKept kept) {
  if (kept != TreeKept::kPages) return OpenEngineStore(options);
  return RocksStore::Open({.store = options, .leaves_are_log_data = true});
}

base::Result<std::vector<Way>> OpenAll(const Options& options, const RowKind& kind) {
  const std::pair<std::string, TreeKept> kept_ways[] = {{"no_tree", TreeKept::kNot},
                                                        {"memory", TreeKept::kMemory},
                                                        {"journal", TreeKept::kJournal},
                                                        {"leaves", TreeKept::kLeaves},
                                                        {"log_data", TreeKept::kPages}};
  std::vector<Way> ways;
  for (const auto& [name, kept] : kept_ways) {
    if (!options.ways.empty() && std::ranges::find(options.ways, name) == options.ways.end())
      continue;
    ASSIGN_OR_RETURN(auto store, OpenStore({.directory = options.directory + "/" + name,
                                            .block_cache_bytes = std::size_t{512} << 20,
                                            .memtable_bytes = std::size_t{128} << 20},
                                           kept));
    ways.push_back(
        {name, kept, std::make_unique<Writer>(kind, kept, std::move(store)), {}, {}, {}});
  }
  return ways;
}

base::Status Fill(Way& way, const Options& options, std::uint64_t seed) {
  const std::vector<Row> rows = SortedRows(options.keys, seed);
  constexpr std::size_t kFillTurn = 1024;
  for (std::size_t from = 0; from < rows.size(); from += kFillTurn)
    RETURN_IF_ERROR(way.writer->Run(
        {.rows = std::span(rows).subspan(from, std::min(kFillTurn, rows.size() - from)),
         .generation = 1}));
  // How full memtables are is much of what a write costs: all ways begin alike.
  RETURN_IF_ERROR(way.writer->Flush());
  return way.writer->Settle();
}

// All ways write the same rows, in the same order.
base::Status Round(Way& way, const Options& options, std::uint64_t seed, std::uint64_t round) {
  base::Random random(round);
  std::vector<Row> rows;
  for (std::uint32_t i = 0; i < options.writes; ++i)
    rows.push_back(RowOf(static_cast<std::uint32_t>(random.Below(options.keys)), seed));
  const double cpu_before = CpuSeconds(CLOCK_PROCESS_CPUTIME_ID);
  const double thread_before = CpuSeconds(CLOCK_THREAD_CPUTIME_ID);
  const auto began = std::chrono::steady_clock::now();
  for (std::size_t from = 0; from < rows.size(); from += options.turn)
    RETURN_IF_ERROR(
        way.writer->Run({.rows = std::span(rows).subspan(
                             from, std::min<std::size_t>(options.turn, rows.size() - from)),
                         .generation = round + 2,
                         .sync = options.sync ? storage::Sync::kYes : storage::Sync::kNo}));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  const double thread = CpuSeconds(CLOCK_THREAD_CPUTIME_ID) - thread_before;
  RETURN_IF_ERROR(way.writer->Settle());
  way.wall_us.push_back(took.count() * 1e6 / options.writes);
  way.cpu_us.push_back((CpuSeconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_before) * 1e6 / options.writes);
  way.thread_us.push_back(thread * 1e6 / options.writes);
  return base::Ok();
}

base::Status Run(const Options& options) {
  const RowKind kind{.value_bytes = options.value_bytes};
  ASSIGN_OR_RETURN(std::vector<Way> ways, OpenAll(options, kind));
  for (Way& way : ways) RETURN_IF_ERROR(Fill(way, options, kind.seed));
  // Who comes first changes, so that what the machine does besides meets all alike.
  for (std::uint64_t round = 0; round < options.rounds; ++round)
    for (std::size_t i = 0; i < ways.size(); ++i)
      RETURN_IF_ERROR(Round(ways[(i + round) % ways.size()], options, kind.seed, round));
  const auto list = [](const std::vector<double>& numbers) {
    std::string text;
    for (const double number : numbers)
      text += fmt::format("{}{:.3f}", text.empty() ? "" : ",", number);
    return text;
  };
  std::string out;
  for (const Way& way : ways)
    out += fmt::format("{}\"{}\":{{\"wall_us\":[{}],\"cpu_us\":[{}],\"thread_us\":[{}]}}",
                       out.empty() ? "" : ",", way.name, list(way.wall_us), list(way.cpu_us),
                       list(way.thread_us));
  fmt::print("{{{}}}\n", out);
  return base::Ok();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("What the hash tree costs a write: called by benchmarks/tree/run.");
  Options options;
  app.add_option("--dir", options.directory, "an empty directory")->required();
  app.add_option("--keys", options.keys, "in each database")->capture_default_str();
  app.add_option("--writes", options.writes, "of a round")->capture_default_str();
  app.add_option("--rounds", options.rounds, "of each way")->capture_default_str();
  app.add_option("--turn", options.turn, "writes of one batch")->capture_default_str();
  app.add_option("--value-bytes", options.value_bytes, "of each row")->capture_default_str();
  app.add_option("--ways", options.ways, "only these: no_tree, memory, journal, leaves, log_data");
  app.add_flag("--sync", options.sync, "after each batch");
  CLI11_PARSE(app, argc, argv);
  if (options.turn == 0 || options.writes == 0 || options.keys == 0 || options.rounds == 0) {
    fmt::print(stderr, "tree_cost: keys, writes, rounds and turn are at least 1\n");
    return 2;
  }
  const base::Status status = Run(options);
  if (!status.ok()) fmt::print(stderr, "tree_cost: {}\n", status.message());
  return status.ok() ? 0 : 1;
}
