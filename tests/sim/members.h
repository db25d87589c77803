// tests/sim/members.h: who is a member and ready, and what those that are have kept.
//
// Thread: free functions.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/cluster.h"
#include "tests/test.h"

namespace starling::sim {

inline bool IsMember(const Cluster& cluster, std::uint32_t node) {
  return cluster.SnapshotOf(node) != nullptr;
}

inline bool IsReady(const Cluster& cluster, std::uint32_t node) {
  return IsMember(cluster, node) && cluster.SnapshotOf(node)->ready();
}

inline std::uint64_t EpochOf(const Cluster& cluster, std::uint32_t node) {
  return IsMember(cluster, node) ? cluster.SnapshotOf(node)->topology->epoch : 0;
}

inline bool AwaitMember(Cluster& cluster, std::uint32_t node, base::Duration limit) {
  return cluster.sim().Await(limit, [&] { return IsMember(cluster, node); });
}

// The node's disk is lost, and it is set to take the place of a member, its own by default.
inline void Replaces(Cluster& cluster, std::uint32_t node, std::uint32_t replaced) {
  cluster.Kill(node);
  cluster.EmptyDisk(node);
  cluster.config(node).node.replace = cluster.AddressOf(replaced).ToString();
}

inline void SeedsAre(Cluster& cluster, std::uint32_t node, std::uint32_t seed) {
  cluster.config(node).cluster.seeds = {cluster.AddressOf(seed).ToString()};
}

inline std::vector<History::Id> PutKeys(Cluster& cluster, std::uint32_t node, int count) {
  std::vector<History::Id> puts;
  for (int i = 0; i < count; ++i) {
    puts.push_back(
        cluster.watcher(node).Put(fmt::format("key {}", i), cluster.history().NextValue()));
    REQUIRE(cluster.Await(puts.back()).status.ToString() == base::Ok().ToString());
  }
  return puts;
}

// The keys of those puts, read by another node at QUORUM: how many do not show what was put.
inline int CountLost(Cluster& cluster, std::uint32_t node, const std::vector<History::Id>& puts) {
  int lost = 0;
  for (const History::Id put : puts) {
    const Record written = cluster.history().record(put);
    const Record& read = cluster.Await(cluster.watcher(node).Get(written.key));
    if (!read.status.ok() || read.operation.value != written.operation.value) ++lost;
  }
  return lost;
}

// Why the node ended itself; empty if it did not.
inline std::string ExitOf(Cluster& cluster, std::uint32_t node) {
  const auto& status = cluster.host(node).exit_status();
  return status ? status->message() : "";
}

inline bool Mentions(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace starling::sim
