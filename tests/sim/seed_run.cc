#include "tests/sim/seed_run.h"

#include <fmt/core.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include "tests/sim/cluster.h"
#include "tests/sim/storm.h"

namespace starling::sim {
namespace {

constexpr std::uint32_t kClients = 6;
constexpr base::Duration kStorm = base::seconds(60);
constexpr std::size_t kOperationsMin = 2000;
// After the storm: all nodes see each other, hints and repair have moved what differs.
constexpr base::Duration kHealLimit = base::seconds(60);

void Load(Cluster& cluster, std::uint64_t seed) {
  base::Random random(base::Mix64(seed + 1));
  LoadOptions load;
  load.keys = static_cast<std::uint32_t>(random.Between(3, 40));
  load.gets = 0.3 + random.Unit() * 0.4;
  load.deletes = random.Unit() * 0.15;
  for (std::uint32_t i = 0; i < kClients; ++i) cluster.AddClient().StartLoad(load);
}

void EndLoad(Cluster& cluster) {
  // In a bad storm most operations take as long as their time-outs.
  cluster.sim().Await(base::seconds(240),
                      [&] { return cluster.history().records().size() >= kOperationsMin; });
  for (const auto& client : cluster.clients()) client->StopLoad();
}

std::string AwaitEqualReplicas(Cluster& cluster) {
  const base::Instant end = cluster.sim().now() + kHealLimit;
  std::optional<std::string> unequal;
  do {
    cluster.sim().RunFor(base::seconds(1));
    unequal = cluster.CheckReplicas();
  } while (unequal && cluster.sim().now() < end);
  return unequal ? "replicas stay unequal: " + *unequal : "";
}

// What was deleted goes from every disk, once all replicas hold the same.
std::string AwaitNoTombstones(Cluster& cluster) {
  const bool gone = cluster.sim().Await(kHealLimit, [&] { return cluster.Tombstones() == 0; });
  return gone ? "" : fmt::format("{} tombstones stay", cluster.Tombstones());
}

// Reads every key once more, so that what the history ends with is part of it.
std::string ReadAll(Cluster& cluster) {
  for (const std::string& key : cluster.history().Keys()) {
    const Record& record = cluster.Await(cluster.clients().front()->Get(key));
    if (!record.status.ok())
      return fmt::format("key {} can't be read after the storm: {}", key, record.status.ToString());
  }
  return "";
}

std::string StormAndCalm(Cluster& cluster, std::uint64_t seed) {
  if (!cluster.AwaitAllUp(base::seconds(30))) return "the cluster does not come up";
  Storm storm(cluster, seed);
  Load(cluster, seed);
  storm.Begin(cluster.sim().now() + kStorm);
  cluster.sim().RunFor(kStorm);
  storm.Heal();
  EndLoad(cluster);
  if (!cluster.AwaitIdle(base::seconds(30))) return "an operation never ends";
  if (!cluster.AwaitAllUp(kHealLimit)) return "not all nodes see all nodes up after the storm";
  if (auto failure = AwaitEqualReplicas(cluster); !failure.empty()) return failure;
  if (auto failure = AwaitNoTombstones(cluster); !failure.empty()) return failure;
  if (auto failure = AwaitEqualReplicas(cluster); !failure.empty()) return failure;
  if (auto failure = ReadAll(cluster); !failure.empty()) return failure;
  if (auto failure = cluster.CheckTrees()) return *failure;
  if (auto failure = cluster.history().Check()) return *failure;
  return cluster.exits();
}

std::string Commit() {
  std::array<char, 64> line{};
  std::FILE* git = ::popen("git rev-parse --short HEAD 2>/dev/null", "r");
  if (git == nullptr) return "unknown";
  const std::size_t size = std::fread(line.data(), 1, line.size() - 1, git);
  ::pclose(git);
  return size > 1 ? std::string(line.data(), size - 1) : "unknown";
}

}  // namespace

SeedRun RunSeed(std::uint64_t seed) {
  SeedRun run;
  ClusterOptions options{.seed = seed};
  // So short that many rounds fall into the storm, and cannot harm by luck alone.
  options.config.purge.interval = base::milliseconds(500);
  options.config.purge.horizon = server::PurgeHorizonMin(options.config);
  Cluster cluster(options);
  run.failure = StormAndCalm(cluster, seed);
  run.trace_hash = cluster.sim().trace_hash();
  run.events = cluster.sim().events();
  run.virtual_seconds = base::ToSeconds(cluster.sim().now().since_start);
  run.summary = cluster.history().Summarize();
  return run;
}

std::string HowToReplay(std::uint64_t seed) {
  return fmt::format("seed {} commit {} replay: STARLING_SIM_SEED={} build/bin/test_sim", seed,
                     Commit(), seed);
}

}  // namespace starling::sim
