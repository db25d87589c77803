// tests/server/topology/builders.h: small topologies and nodes for the tests of this folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "server/topology/changes.h"
#include "server/topology/topology.h"
#include "tests/test.h"

namespace starling::topology {

inline base::Instant At(std::int64_t ms) { return {base::milliseconds(ms)}; }

// Node n listens on 10.0.0.n and has host id n.
inline base::Address AddressOf(std::uint32_t n, std::uint16_t port = 7700) {
  return {.ip = 0x0a000000U + n, .port = port};
}

inline NodeInfo NodeOf(std::uint32_t n, std::string dc = "dc1", std::string rack = "r1",
                       std::uint32_t vnodes = 16) {
  return {.host = {.high = 0, .low = n},
          .cluster = AddressOf(n),
          .client = AddressOf(n, 7701),
          .resp = AddressOf(n, 7702),
          .dc = std::move(dc),
          .rack = std::move(rack),
          .vnodes = vnodes};
}

inline std::vector<NodeInfo> NodesOf(std::uint32_t count, std::uint32_t vnodes = 16) {
  std::vector<NodeInfo> nodes;
  for (std::uint32_t n = 1; n <= count; ++n) nodes.push_back(NodeOf(n, "dc1", "r1", vnodes));
  return nodes;
}

inline FoundingPlan PlanOf(std::vector<NodeInfo> seeds, std::uint64_t seed = 7) {
  return {.cluster_id = {.high = 0xc, .low = seed + 1},
          .cluster_name = "test",
          .token_seed = seed,
          .seeds = std::move(seeds),
          .newcomers = {}};
}

// Epoch 1 of nodes 1..count, in one rack.
inline Topology FoundedBy(std::uint32_t count, std::uint64_t seed = 7) {
  base::Result<Topology> topology = Found(PlanOf(NodesOf(count), seed));
  REQUIRE(topology.has_value());
  return *std::move(topology);
}

inline TopologyPtr Share(Topology topology) {
  return std::make_shared<const Topology>(std::move(topology));
}

inline Replication Parsed(const std::string& text) {
  base::Result<Replication> replication = Replication::Parse(text);
  REQUIRE(replication.has_value());
  return *std::move(replication);
}

inline bool Mentions(const base::Status& status, const std::string& text) {
  return status.message().find(text) != std::string::npos;
}

}  // namespace starling::topology
