// tests/sim/stage.h: what directed schedules are played on: a calm cluster, one key and its
// replicas.
//
// Thread:    confined to one thread.
// Read next: tests/sim/directed.h
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/sim/cluster.h"
#include "tests/sim/directed.h"

namespace starling::sim {

inline constexpr const char* kKey = "the key";

// One worker a node, so that a link which carried one key carries all; quick retransmits, so that
// what is healed arrives at once; nothing that would mend by itself what a schedule leaves behind.
inline ClusterOptions Calm() {
  ClusterOptions options{.seed = 1, .workers = 1, .cache_misses = 0};
  options.faults.latency_min = options.faults.latency_max = base::milliseconds(1);
  options.faults.retransmit = base::milliseconds(5);
  options.faults.connect_timeout = base::seconds(20);
  options.faults.stall_timeout = base::seconds(60);
  options.config.repair.enabled = false;
  options.config.hints.enabled = false;
  return options;
}

// The key's three replicas, first those that a coordinator which is none of them reads, and the
// two nodes that are none.
class Stage {
 public:
  explicit Stage(const ClusterOptions& options) : cluster(options) {
    if (!cluster.AwaitAllUp(base::seconds(30))) {
      play.stage = "the cluster does not come up";
      return;
    }
    // Warm links between all nodes: each coordinates puts to every set of replicas.
    for (std::uint32_t node = 0; node < cluster.size(); ++node)
      for (int i = 0; i < 12; ++i) Must(Put(node, fmt::format("warm {}", i)), "warm up");
    Must(Put(0), "warm up");
    const auto replicas = cluster.ReplicasOf(kKey);
    const auto start = cluster.TokenOf(kKey) % replicas.size();
    a = replicas[start];
    b = replicas[(start + 1) % replicas.size()];
    c = replicas[(start + 2) % replicas.size()];
    std::vector<std::uint32_t> others;
    for (std::uint32_t node = 0; node < cluster.size(); ++node)
      if (std::find(replicas.begin(), replicas.end(), node) == replicas.end())
        others.push_back(node);
    d = others.at(0);
    e = others.at(1);
    cluster.sim().RunFor(base::seconds(2));
  }

  // --- what the directions are made of ---
  History::Id BeginPut(std::uint32_t node, const std::string& key = kKey) {
    return cluster.watcher(node).Put(key, cluster.history().NextValue());
  }
  History::Id Put(std::uint32_t node, const std::string& key = kKey) {
    const History::Id id = BeginPut(node, key);
    cluster.Await(id);
    return id;
  }
  History::Id Get(std::uint32_t node, const std::string& key = kKey) {
    const History::Id id = cluster.watcher(node).Get(key);
    cluster.Await(id);
    return id;
  }
  Record& Retry(std::uint32_t node, History::Id id) {
    cluster.watcher(node).Retry(id);
    return cluster.Await(id);
  }
  void Cut(std::uint32_t from, std::uint32_t to) {
    cluster.sim().CutOneWay(cluster.host(from), cluster.host(to));
  }
  void Heal(std::uint32_t from, std::uint32_t to) {
    cluster.sim().HealOneWay(cluster.host(from), cluster.host(to));
  }
  void Run(base::Duration time) { cluster.sim().RunFor(time); }
  void SetLatency(base::Duration latency) {
    cluster.sim().faults().latency_min = cluster.sim().faults().latency_max = latency;
  }
  std::uint64_t ValueOf(History::Id id) { return cluster.history().record(id).operation.value; }
  // Does the node hold exactly what that put wrote?
  bool Holds(std::uint32_t node, History::Id put) {
    const auto value = cluster.StoredValue(node, kKey);
    return value && ParseValue(*value) == ValueOf(put);
  }

  // --- how it went ---
  void Must(bool held, std::string_view what) {
    if (!held && play.stage.empty()) play.stage = what;
  }
  void Must(History::Id id, std::string_view what) {
    const Record& record = cluster.history().record(id);
    Must(record.status.ok() && record.done, fmt::format("{}: {}", what, record.status.ToString()));
  }
  Play End() {
    if (const auto violation = cluster.history().Check()) play.violation = *violation;
    return play;
  }

  Cluster cluster;
  Play play;
  std::uint32_t a = 0, b = 0, c = 0;  // Replicas.
  std::uint32_t d = 0, e = 0;         // Not.
};

}  // namespace starling::sim
