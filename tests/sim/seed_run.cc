#include "tests/sim/seed_run.h"

#include <fmt/core.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <set>
#include <vector>

#include "tests/sim/cluster.h"
#include "tests/sim/scan_watch.h"
#include "tests/sim/storm.h"

namespace starling::sim {
namespace {

constexpr std::uint32_t kClients = 6;
constexpr base::Duration kStorm = base::seconds(60);
constexpr std::size_t kOperationsMin = 2000;
// Where disks are lost: keys that are written before the storm and by nobody in it, so that most
// of them are lacking where the host in the lost one's place begins to pull.
constexpr std::uint64_t kQuietKeys = 150;
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

std::string PutQuietKeys(Cluster& cluster) {
  std::vector<History::Id> puts;
  for (std::uint64_t i = 0; i < kQuietKeys; ++i)
    puts.push_back(cluster.watcher(static_cast<std::uint32_t>(i % cluster.size()))
                       .Put(fmt::format("quiet {}", i), cluster.history().NextValue()));
  if (!cluster.AwaitIdle(base::seconds(30))) return "a put before the storm never ends";
  for (const History::Id put : puts)
    if (const Record& record = cluster.history().record(put); !record.status.ok())
      return fmt::format("key {} can't be put before the storm: {}", record.key,
                         record.status.ToString());
  return "";
}

void EndLoad(Cluster& cluster) {
  // In a bad storm most operations take as long as their time-outs.
  cluster.sim().Await(base::seconds(240), [&] {
    return cluster.history().records().size() >= kOperationsMin &&
           cluster.sim().now().since_start >= kStorm;
  });
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

// What must hold once no fault is left.
std::string CheckCalm(Cluster& cluster, ScanWatch& scans) {
  EndLoad(cluster);
  if (!cluster.AwaitIdle(base::seconds(30))) return "an operation never ends";
  if (!cluster.AwaitAllUp(kHealLimit)) return "not all nodes see all nodes up after the storm";
  const unsigned scans_before = scans.completed();
  if (!cluster.sim().Await(kHealLimit, [&] { return scans.completed() > scans_before; }))
    return "no scan comes to its end after the storm";
  scans.Stop();
  if (auto failure = AwaitEqualReplicas(cluster); !failure.empty()) return failure;
  if (auto failure = AwaitNoTombstones(cluster); !failure.empty()) return failure;
  if (auto failure = AwaitEqualReplicas(cluster); !failure.empty()) return failure;
  if (auto failure = ReadAll(cluster); !failure.empty()) return failure;
  if (auto failure = cluster.CheckTrees()) return *failure;
  if (auto failure = cluster.history().Check()) return *failure;
  if (!scans.failure().empty()) return scans.failure();
  return cluster.exits();
}

std::string StormAndCalm(Cluster& cluster, std::uint64_t seed, SeedRun& run) {
  if (!cluster.AwaitAllUp(base::seconds(30))) return "the cluster does not come up";
  Storm storm(cluster, seed);
  if (storm.loses_disks())
    if (std::string failure = PutQuietKeys(cluster); !failure.empty()) return failure;
  Load(cluster, seed);
  ScanWatch scans(cluster, base::seconds(2));
  storm.Begin(cluster.sim().now() + kStorm);
  cluster.sim().RunFor(kStorm);
  storm.Heal();
  run.disks_lost = storm.disks_lost();
  std::string failure = CheckCalm(cluster, scans);
  run.scans = scans.completed();
  return failure;
}

// One node after the other is away for so long that the others may declare it absent, and purge
// without it. Whoever begins again is started again.
class Outages {
 public:
  Outages(Cluster& cluster, std::uint64_t seed)
      : cluster_(cluster), random_(base::Mix64(seed + 2)) {}

  static constexpr base::Duration kOutageMax = base::seconds(4);

  void Play() {
    for (int outage = 0; outage < 4; ++outage) {
      away_ = static_cast<std::uint32_t>(random_.Below(cluster_.size()));
      const std::uint64_t declared_before = declared_.size();
      if (random_.Chance(0.3))
        cluster_.LosePower(*away_);
      else
        cluster_.Kill(*away_);
      Run(base::milliseconds(random_.Between(2000, 12'000)));
      if (random_.Chance(0.3)) Disturb();
      Run(base::milliseconds(random_.Between(4000, 14'000)));
      NoteDeclared();
      if (declared_.size() == declared_before && random_.Chance(0.5)) Disturb();
      away_.reset();
      Run(base::milliseconds(random_.Between(500, 12'000)));
    }
    cluster_.sim().HealAll();
  }
  // Until all are ready, none absent.
  bool AwaitReady() {
    for (int i = 0; i < 600; ++i) {
      Run(base::milliseconds(200));
      bool all = true;
      for (std::uint32_t node = 0; node < cluster_.size(); ++node) {
        const server::SnapshotPtr snapshot = cluster_.SnapshotOf(node);
        all = all && snapshot != nullptr && snapshot->ready() && snapshot->me().absent == 0;
      }
      if (all) return true;
    }
    return false;
  }
  // Why AwaitReady gave up.
  std::string Laggards() {
    std::string text;
    for (std::uint32_t node = 0; node < cluster_.size(); ++node) {
      const server::SnapshotPtr snapshot = cluster_.SnapshotOf(node);
      if (snapshot == nullptr)
        text += fmt::format("; node {} is not up", node);
      else if (!snapshot->ready() || snapshot->me().absent != 0)
        text += fmt::format("; node {} in epoch {}: ready {}, absent {}, back {}, catching up {}",
                            node, snapshot->topology->epoch, snapshot->ready(),
                            snapshot->me().absent, snapshot->me().back, snapshot->catching_up);
    }
    return text;
  }
  // Epochs that declared a node absent.
  std::uint64_t declared() const { return declared_.size(); }

 private:
  void Run(base::Duration time) {
    const base::Instant end = cluster_.sim().now() + time;
    while (cluster_.sim().now() < end) {
      for (std::uint32_t node = 0; node < cluster_.size(); ++node)
        if (node != away_) cluster_.Start(node);
      cluster_.sim().RunFor(base::milliseconds(100));
      NoteDeclared();
    }
  }
  void NoteDeclared() {
    for (std::uint32_t node = 0; node < cluster_.size(); ++node)
      if (const server::SnapshotPtr snapshot = cluster_.SnapshotOf(node))
        for (const topology::Node& each : snapshot->topology->nodes)
          if (each.absent != 0) declared_.insert(each.absent);
  }
  void Disturb() {
    SimHost& one = cluster_.host(static_cast<std::uint32_t>(random_.Below(cluster_.size())));
    SimHost& other = cluster_.host(static_cast<std::uint32_t>(random_.Below(cluster_.size())));
    if (random_.Chance(0.5))
      cluster_.sim().ResetBetween(one, other);
    else
      cluster_.sim().CutOneWay(one, other);
    Run(base::milliseconds(random_.Between(100, 2000)));
    cluster_.sim().HealAll();
  }

  Cluster& cluster_;
  base::Random random_;
  std::optional<std::uint32_t> away_;
  std::set<std::uint64_t> declared_;
};

std::string OutagesAndCalm(Cluster& cluster, std::uint64_t seed, SeedRun& run) {
  if (!cluster.AwaitAllUp(base::seconds(30))) return "the cluster does not come up";
  Outages outages(cluster, seed);
  Load(cluster, seed);
  ScanWatch scans(cluster, base::seconds(10));
  outages.Play();
  run.declared_absent = outages.declared();
  if (!outages.AwaitReady())
    return "not all nodes are ready after the outages" + outages.Laggards();
  std::string failure = CheckCalm(cluster, scans);
  run.scans = scans.completed();
  return failure;
}

ClusterOptions OftenPurging(std::uint64_t seed) {
  ClusterOptions options{.seed = seed};
  // So short that many rounds fall into the run, and cannot harm by luck alone.
  options.config.purge.interval = base::milliseconds(500);
  options.config.purge.horizon = server::PurgeHorizonMin(options.config);
  return options;
}

void Summarize(Cluster& cluster, SeedRun& run) {
  run.trace_hash = cluster.sim().trace_hash();
  run.events = cluster.sim().events();
  run.entries_in_tables = cluster.EntriesInTables();
  run.virtual_seconds = base::ToSeconds(cluster.sim().now().since_start);
  run.summary = cluster.history().Summarize();
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
  Cluster cluster(OftenPurging(seed));
  run.failure = StormAndCalm(cluster, seed, run);
  Summarize(cluster, run);
  return run;
}

SeedRun RunOutages(std::uint64_t seed) {
  SeedRun run;
  ClusterOptions options = OftenPurging(seed);
  options.config.purge.outage_max = Outages::kOutageMax;
  Cluster cluster(options);
  run.failure = OutagesAndCalm(cluster, seed, run);
  Summarize(cluster, run);
  return run;
}

std::string HowToReplay(std::uint64_t seed, std::string_view test) {
  return fmt::format("seed {} commit {} replay: STARLING_SIM_SEED={} build/bin/test_sim -tc='{}'",
                     seed, Commit(), seed, test);
}

}  // namespace starling::sim
