// Goal:   each bucket has exactly one replica set, of the size and spread that replication asks
// for.
//
// Method: RapidCheck draws clusters of any shape; an independent, slow walk says what must be.
#include "server/topology/ring.h"

#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <set>
#include <span>

#include "tests/server/topology/builders.h"
#include "tests/test.h"

namespace starling::topology {
namespace {

Topology WithKeyspaces(Topology topology, const std::vector<std::string>& replications) {
  for (const std::string& text : replications)
    topology.keyspaces.push_back({.id = topology.next_keyspace_id++,
                                  .name = "k" + std::to_string(topology.keyspaces.size()),
                                  .replication = Parsed(text)});
  return topology;
}

// Nodes over up to two datacenters and three racks, with random tokens; some are gone.
Topology DrawTopology() {
  const auto nodes = *rc::gen::inRange(1, 12);
  std::set<std::uint16_t> taken;
  Topology topology = FoundedBy(1);
  topology.nodes.clear();
  for (int n = 1; n <= nodes; ++n) {
    const auto number = static_cast<base::NodeNumber>(n);
    Node node{
        .host = {.high = 0, .low = number},
        .number = number,
        .cluster = AddressOf(number),
        .client = AddressOf(number, 7701),
        .resp = AddressOf(number, 7702),
        .dc = "dc" + std::to_string(*rc::gen::inRange(1, 3)),
        .rack = "r" + std::to_string(*rc::gen::inRange(1, 4)),
        .state = n > 1 && *rc::gen::inRange(0, 5) == 0 ? NodeState::kReplaced : NodeState::kNormal,
        .tokens = {}};
    const auto tokens = node.member() ? *rc::gen::inRange(1, 9) : 0;
    for (int i = 0; i < tokens; ++i) {
      const auto token = *rc::gen::arbitrary<std::uint16_t>();
      if (taken.insert(token).second) node.tokens.push_back(token);
    }
    while (node.member() && node.tokens.empty())
      for (std::uint16_t t = 0; node.tokens.empty(); ++t)
        if (taken.insert(t).second) node.tokens.push_back(t);
    std::sort(node.tokens.begin(), node.tokens.end());
    topology.nodes.push_back(std::move(node));
  }
  topology.next_node_number = static_cast<base::NodeNumber>(nodes) + 1;
  return topology;
}

// The distinct nodes met clockwise from the owner of `bucket`, found by stepping over buckets.
std::vector<std::uint16_t> NodesClockwise(const Topology& topology, std::uint16_t bucket) {
  std::map<std::uint16_t, std::uint16_t> node_of_token;
  for (std::size_t i = 0; i < topology.nodes.size(); ++i)
    for (const std::uint16_t token : topology.nodes[i].tokens)
      node_of_token[token] = static_cast<std::uint16_t>(i);
  auto at = node_of_token.upper_bound(bucket);
  at = at == node_of_token.begin() ? std::prev(node_of_token.end()) : std::prev(at);
  std::vector<std::uint16_t> met;
  for (std::size_t i = 0; i < node_of_token.size(); ++i) {
    if (std::find(met.begin(), met.end(), at->second) == met.end()) met.push_back(at->second);
    if (++at == node_of_token.end()) at = node_of_token.begin();
  }
  return met;
}

// The buckets where something can change, and their neighbours.
std::set<std::uint16_t> Borders(const Topology& topology) {
  std::set<std::uint16_t> buckets{0, 65535};
  for (const Node& node : topology.nodes)
    for (const std::uint16_t token : node.tokens) {
      buckets.insert(token);
      buckets.insert(static_cast<std::uint16_t>(token - 1));
    }
  return buckets;
}

std::vector<std::uint16_t> Copy(std::span<const std::uint16_t> replicas) {
  return {replicas.begin(), replicas.end()};
}

TEST_SUITE("topology/ring") {
  TEST_CASE("a simple keyspace is on the next distinct nodes clockwise") {
    EXPECT(rc::check("simple", [] {
      const Topology topology = WithKeyspaces(DrawTopology(), {"simple:1", "simple:2"});
      const auto ring = Ring::Build(topology);
      for (const Keyspace& keyspace : topology.keyspaces)
        for (const std::uint16_t bucket : Borders(topology)) {
          auto wanted = NodesClockwise(topology, bucket);
          wanted.resize(std::min<std::size_t>(wanted.size(), keyspace.replication.factor));
          RC_ASSERT(Copy(ring->Replicas(keyspace.id, bucket)) == wanted);
        }
    }));
  }

  TEST_CASE("by datacenter, each has its factor of nodes on as many racks as there can be") {
    EXPECT(rc::check("datacenters", [] {
      const Topology topology = WithKeyspaces(DrawTopology(), {"dc1:3,dc2:2", "dc2:1"});
      const auto ring = Ring::Build(topology);
      std::map<std::string, std::set<std::string>> racks;
      std::map<std::string, std::size_t> members;
      for (const Node* node : topology.members())
        racks[node->dc].insert(node->rack), ++members[node->dc];
      for (const Keyspace& keyspace : topology.keyspaces) {
        if (keyspace.replication.kind == Replication::Kind::kSimple) continue;
        for (const std::uint16_t bucket : Borders(topology)) {
          const auto replicas = ring->Replicas(keyspace.id, bucket);
          RC_ASSERT(replicas.size() == EffectiveFactor(topology, keyspace.replication));
          std::map<std::string, std::set<std::string>> racks_used;
          std::map<std::string, std::set<std::uint16_t>> used;
          for (const std::uint16_t index : replicas) {
            const Node& node = topology.nodes[index];
            RC_ASSERT(node.member());
            racks_used[node.dc].insert(node.rack);
            RC_ASSERT(used[node.dc].insert(index).second);
          }
          for (const auto& [dc, factor] : keyspace.replication.per_dc) {
            RC_ASSERT(used[dc].size() == std::min<std::size_t>(factor, members[dc]));
            RC_ASSERT(racks_used[dc].size() == std::min(used[dc].size(), racks[dc].size()));
          }
        }
      }
    }));
  }

  TEST_CASE("the ranges cover every bucket once, and agree with the replicas of each") {
    EXPECT(rc::check("ranges", [] {
      const Topology topology = WithKeyspaces(DrawTopology(), {"simple:2", "dc1:2,dc2:1"});
      const auto ring = Ring::Build(topology);
      for (const Keyspace& keyspace : topology.keyspaces) {
        std::uint32_t next = 0;
        std::vector<std::uint32_t> owned(topology.nodes.size());
        std::vector<std::uint16_t> previous{0xffff};
        for (const Range& range : ring->ranges(keyspace.id)) {
          RC_ASSERT(range.first_bucket == next);
          RC_ASSERT(range.last_bucket >= range.first_bucket);
          RC_ASSERT(range.replicas != previous);
          previous = range.replicas;
          next = range.last_bucket + 1U;
          std::span<const std::uint16_t> seen;
          for (std::uint32_t b = range.first_bucket; b < next; ++b) {
            const auto found = ring->Replicas(keyspace.id, static_cast<std::uint16_t>(b));
            if (found.data() == seen.data() && found.size() == seen.size()) continue;
            seen = found;
            auto replicas = Copy(found);
            std::sort(replicas.begin(), replicas.end());
            RC_ASSERT(replicas == range.replicas);
          }
          for (const std::uint16_t node : range.replicas) owned[node] += next - range.first_bucket;
        }
        RC_ASSERT(next == base::kBuckets);
        for (std::size_t i = 0; i < owned.size(); ++i)
          RC_ASSERT(ring->OwnedBuckets(keyspace.id, i) == owned[i]);
      }
    }));
  }

  TEST_CASE("runs cover every bucket once, and differ from their neighbours in order or set") {
    const Topology topology = WithKeyspaces(FoundedBy(3), {"simple:3"});
    const auto ring = Ring::Build(topology);
    const base::KeyspaceId keyspace = topology.keyspaces.back().id;
    std::set<std::uint16_t> owners;
    std::uint32_t runs = 0;
    for (std::uint32_t bucket = 0; bucket < base::kBuckets; ++runs) {
      const auto first = static_cast<std::uint16_t>(bucket);
      const auto replicas = ring->Replicas(keyspace, first);
      owners.insert(replicas.front());
      const std::uint32_t end = ring->RunEnd(keyspace, first);
      REQUIRE(end > bucket);
      for (; bucket < end; ++bucket) {
        const auto same = ring->Replicas(keyspace, static_cast<std::uint16_t>(bucket));
        REQUIRE(std::equal(same.begin(), same.end(), replicas.begin(), replicas.end()));
      }
      if (end == base::kBuckets) break;
      const auto next = ring->Replicas(keyspace, static_cast<std::uint16_t>(end));
      EXPECT(!std::equal(next.begin(), next.end(), replicas.begin(), replicas.end()));
    }
    // One range of one set of owners, but many runs: each of the three owns some buckets.
    EXPECT(owners.size() == 3);
    EXPECT(runs > 3);
    EXPECT(ring->RunEnd(12345, 7) == base::kBuckets);
  }

  TEST_CASE("a node that is not asked for in a datacenter keyspace holds nothing of it") {
    auto topology = Found(PlanOf({NodeOf(1, "dc1"), NodeOf(2, "dc2")}));
    REQUIRE(topology.has_value());
    const Topology with = WithKeyspaces(*topology, {"dc1:3"});
    const auto ring = Ring::Build(with);
    EXPECT(ring->Owns(2, 0) == 1.0);
    EXPECT(ring->Owns(2, 1) == 0.0);
  }

  TEST_CASE("three nodes at factor three are one range, each node owning all of it") {
    const auto ring = Ring::Build(FoundedBy(3));
    REQUIRE(ring->ranges(1).size() == 1);
    EXPECT(ring->ranges(1).front() == Range{0, 65535, {0, 1, 2}});
    EXPECT(ring->Owns(1, 0) == 1.0);
  }

  TEST_CASE("a keyspace that is everywhere is one range of all members, each first for a part") {
    for (const std::uint32_t nodes : {1U, 5U, 100U}) {
      base::Result<Topology> founded = Found(PlanOf(NodesOf(1)));
      REQUIRE(founded.has_value());
      Topology topology = WithKeyspaces(*founded, {"everywhere"});
      for (std::uint32_t n = 2; n <= nodes; ++n) {
        base::Result<Topology> next = AdmitNode(topology, NodeOf(n));
        REQUIRE(next.has_value());
        topology = *std::move(next);
      }
      const auto ring = Ring::Build(topology);
      EXPECT(ring->everywhere(2));
      EXPECT(!ring->everywhere(1));
      REQUIRE(ring->ranges(2).size() == 1);
      EXPECT(ring->ranges(2).front().replicas.size() == nodes);
      EXPECT(EffectiveFactor(topology, topology.keyspaces[1].replication) == nodes);
      std::set<std::uint16_t> first;
      for (std::uint32_t bucket = 0; bucket < base::kBuckets; ++bucket) {
        const auto replicas = ring->Replicas(2, static_cast<std::uint16_t>(bucket));
        REQUIRE(replicas.size() == nodes);
        first.insert(replicas.front());
      }
      EXPECT(first.size() == std::min(nodes, 64U));
      for (std::size_t node = 0; node < nodes; ++node) EXPECT(ring->Owns(2, node) == 1.0);
    }
  }

  TEST_CASE("a keyspace that is not there has no replicas, and a node that is not there no share") {
    const auto ring = Ring::Build(FoundedBy(3));
    EXPECT(ring->Replicas(2, 0).empty());
    EXPECT(ring->Replicas(0, 0).empty());
    EXPECT(ring->ranges(2).empty());
    EXPECT(ring->OwnedBuckets(2, 0) == 0);
    EXPECT(ring->OwnedBuckets(1, 3) == 0);
  }

  TEST_CASE("keyspaces that replicate alike share their table") {
    const Topology one = FoundedBy(6);
    const Topology many = WithKeyspaces(one, std::vector<std::string>(100, "simple:3"));
    EXPECT(Ring::Build(many)->memory_bytes() == Ring::Build(one)->memory_bytes());
    EXPECT(Ring::Build(one)->memory_bytes() < 160 * 1024);
  }
}

}  // namespace
}  // namespace starling::topology
