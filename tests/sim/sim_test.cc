// Goal:   whole nodes keep what they promise under every fault at once: a key is linearizable at
//         QUORUM, acknowledged writes stay, scans show what they must and nothing that is over,
//         replicas become equal, every node comes back.
// Method: five nodes with three workers each, real clients, a storm of faults from a seed, then
//         calm; and nodes that are away for so long that they are declared absent.
//         STARLING_SIM_SEEDS=N runs seeds 1..N, STARLING_SIM_SEED=N that one.
#include <fmt/core.h>

#include <cstdlib>
#include <string>

#include "tests/sim/seed_run.h"
#include "tests/test.h"

namespace starling::sim {
namespace {

constexpr std::uint64_t kStorms = 200;
constexpr std::uint64_t kOutages = 40;

std::uint64_t FromEnvironment(const char* name, std::uint64_t standard) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? standard : std::strtoull(text, nullptr, 10);
}

// STARLING_SIM_SHARD=I/N: of the seeds, each Nth from I on, so that N processes share the work.
struct Shard {
  std::uint64_t first = 0;
  std::uint64_t step = 1;
};
Shard ShardOfProcess() {
  Shard shard;
  const char* text = std::getenv("STARLING_SIM_SHARD");
  if (text == nullptr) return shard;
  char* rest = nullptr;
  shard.first = std::strtoull(text, &rest, 10);
  if (*rest == '/') shard.step = std::strtoull(rest + 1, nullptr, 10);
  return shard;
}

void Judge(std::uint64_t seed, const SeedRun& run, std::string_view test) {
  if (!run.failure.empty()) fmt::print(stderr, "\n{}\n{}\n", HowToReplay(seed, test), run.failure);
  DOCTEST_INFO("seed ", seed, ": ", run.failure);
  EXPECT(run.failure.empty());
  EXPECT(run.virtual_seconds >= 60);
  EXPECT(run.summary.operations >= 2000);
  EXPECT(run.scans > 0);
}

// Of all seeds that were played.
struct Totals {
  std::uint64_t declared_absent = 0;
  std::uint64_t disks_lost = 0;
  std::uint64_t entries_in_tables = 0;
  void Add(const SeedRun& run) {
    declared_absent += run.declared_absent;
    disks_lost += run.disks_lost;
    entries_in_tables += run.entries_in_tables;
  }
};

// Runs the seeds that were asked for.
Totals Campaign(std::uint64_t standard, SeedRun (*play)(std::uint64_t), std::string_view test) {
  Totals totals;
  if (const std::uint64_t seed = FromEnvironment("STARLING_SIM_SEED", 0); seed != 0) {
    const SeedRun run = play(seed);
    fmt::print(
        "seed {}: {} operations ({} acknowledged, {} unknown, {} refused), {} events, "
        "{:.0f} virtual seconds, {} times absent, {} disks lost, {} entries in tables, {} scans, "
        "trace {:016x}\n",
        seed, run.summary.operations, run.summary.acknowledged, run.summary.unknown,
        run.summary.refused, run.events, run.virtual_seconds, run.declared_absent, run.disks_lost,
        run.entries_in_tables, run.scans, run.trace_hash);
    Judge(seed, run, test);
    totals.Add(run);
    return totals;
  }
  const Shard shard = ShardOfProcess();
  const std::uint64_t seeds = FromEnvironment("STARLING_SIM_SEEDS", standard);
  for (std::uint64_t seed = 1 + shard.first; seed <= seeds; seed += shard.step) {
    const SeedRun run = play(seed);
    Judge(seed, run, test);
    totals.Add(run);
  }
  return totals;
}

TEST_SUITE("sim") {
  TEST_CASE("whatever the storm, what was acknowledged holds and the replicas become equal") {
    const Totals totals = Campaign(kStorms, RunSeed, "whatever*");
    if (FromEnvironment("STARLING_SIM_SEED", 0) != 0) return;
    EXPECT(totals.disks_lost > 0);
    EXPECT(totals.entries_in_tables > 0);
  }

  TEST_CASE("whoever is away, what was deleted stays so, and all others hold what they should") {
    const Totals totals = Campaign(kOutages, RunOutages, "whoever*");
    if (FromEnvironment("STARLING_SIM_SEED", 0) == 0) EXPECT(totals.declared_absent > 0);
  }

  TEST_CASE("the same seed twice gives the same trace") {
    if (FromEnvironment("STARLING_SIM_SEED", 0) != 0) return;
    const SeedRun first = RunSeed(4242);
    const SeedRun second = RunSeed(4242);
    EXPECT(first.trace_hash == second.trace_hash);
    EXPECT(first.events == second.events);
    EXPECT(first.trace_hash != RunSeed(4243).trace_hash);
  }
}

}  // namespace
}  // namespace starling::sim
