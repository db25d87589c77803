// Goal:   tokens never collide, and no node bears much more than its share, founded or grown.
// Method: found and grow clusters of 3 to 12 nodes over many seeds; measure shares on the ring.
#include "server/topology/tokens.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "server/topology/ring.h"
#include "tests/server/topology/builders.h"
#include "tests/test.h"

namespace starling::topology {
namespace {

// The most loaded node's share over the mean, at a factor.
double Imbalance(Topology topology, const std::string& replication) {
  topology.keyspaces.front().replication = Parsed(replication);
  const auto ring = Ring::Build(topology);
  std::uint32_t most = 0, sum = 0;
  for (std::size_t i = 0; i < topology.nodes.size(); ++i) {
    most = std::max(most, ring->OwnedBuckets(1, i));
    sum += ring->OwnedBuckets(1, i);
  }
  return most * static_cast<double>(topology.nodes.size()) / sum;
}

Topology GrownTo(std::uint32_t count, std::uint32_t from, std::uint64_t seed) {
  Topology topology = FoundedBy(from, seed);
  for (std::uint32_t n = from + 1; n <= count; ++n) {
    base::Result<Topology> next = AdmitNode(topology, NodeOf(n));
    REQUIRE(next.has_value());
    topology = *std::move(next);
  }
  return topology;
}

struct Worst {
  double founded_1 = 0, founded_3 = 0, grown_1 = 0, grown_3 = 0;
};

Worst WorstOf(std::uint32_t nodes) {
  Worst worst;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const Topology founded = FoundedBy(nodes, seed);
    worst.founded_1 = std::max(worst.founded_1, Imbalance(founded, "simple:1"));
    worst.founded_3 = std::max(worst.founded_3, Imbalance(founded, "simple:3"));
    const Topology grown = GrownTo(nodes, nodes < 6 ? 1 : 3, seed);
    worst.grown_1 = std::max(worst.grown_1, Imbalance(grown, "simple:1"));
    worst.grown_3 = std::max(worst.grown_3, Imbalance(grown, "simple:3"));
  }
  return worst;
}

TEST_SUITE("topology/tokens") {
  TEST_CASE("no node of 3 to 12 bears much more than its share") {
    for (std::uint32_t nodes = 3; nodes <= 12; ++nodes) {
      const Worst worst = WorstOf(nodes);
      if (std::getenv("STARLING_FIGURES") != nullptr)
        fmt::print("{:2} nodes: founded {:.3f} (RF 3 {:.3f}), grown {:.3f} (RF 3 {:.3f})\n", nodes,
                   worst.founded_1, worst.founded_3, worst.grown_1, worst.grown_3);
      DOCTEST_CAPTURE(nodes);
      EXPECT(worst.founded_1 < 1.05);
      EXPECT(worst.grown_1 < 1.15);
      EXPECT(worst.founded_3 < 1.35);
      EXPECT(worst.grown_3 < 1.35);
    }
  }

  TEST_CASE("a node with half the vnodes bears about half the load") {
    const auto topology = Found(PlanOf({NodeOf(1), NodeOf(2), NodeOf(3, "dc1", "r1", 8)}));
    REQUIRE(topology.has_value());
    Topology single = *topology;
    single.keyspaces.front().replication = Parsed("simple:1");
    const auto ring = Ring::Build(single);
    EXPECT(ring->Owns(1, 2) > 0.18);
    EXPECT(ring->Owns(1, 2) < 0.22);
  }

  TEST_CASE("the same arguments give the same tokens, another seed gives others") {
    const std::vector<std::uint32_t> kVnodes{16, 16, 16};
    EXPECT(FoundingTokens(kVnodes, 1) == FoundingTokens(kVnodes, 1));
    EXPECT(FoundingTokens(kVnodes, 1) != FoundingTokens(kVnodes, 2));
    EXPECT(JoiningTokens(FoundedBy(3), 16) == JoiningTokens(FoundedBy(3), 16));
  }

  TEST_CASE("a join moves only what the new node takes") {
    Topology before = FoundedBy(3);
    before.keyspaces.front().replication = Parsed("simple:1");
    const auto after = AdmitNode(before, NodeOf(4));
    REQUIRE(after.has_value());
    const auto old_ring = Ring::Build(before), new_ring = Ring::Build(*after);
    for (std::uint32_t b = 0; b < base::kBuckets; ++b) {
      const auto bucket = static_cast<std::uint16_t>(b);
      const std::uint16_t owner = new_ring->Replicas(1, bucket)[0];
      if (owner != 3 && owner != old_ring->Replicas(1, bucket)[0]) {
        DOCTEST_FAIL("bucket " << b << " moved between old nodes");
      }
    }
  }

  TEST_CASE("the last range that can be split is, and then a join is refused") {
    // 256 nodes with 256 tokens each would be all; the last one has one less.
    Topology topology = FoundedBy(1);
    topology.nodes.clear();
    for (std::uint32_t n = 0; n < 256; ++n) {
      Node node = FoundedBy(1).nodes[0];
      node.host.low = node.number = n + 1;
      node.cluster = AddressOf(n + 1);
      node.tokens.clear();
      for (std::uint32_t t = 0; t < (n < 255 ? 256U : 255U); ++t)
        node.tokens.push_back(static_cast<std::uint16_t>(n * 256 + t));
      topology.nodes.push_back(std::move(node));
    }
    topology.next_node_number = 257;
    REQUIRE(Validate(topology) == base::Ok());
    const base::Result<Topology> last = AdmitNode(topology, NodeOf(257, "dc1", "r1", 1));
    REQUIRE(last.has_value());
    EXPECT(last->nodes.back().tokens == std::vector<std::uint16_t>{65535});
    const base::Result<Topology> full = AdmitNode(*last, NodeOf(258, "dc1", "r1", 1));
    REQUIRE(!full.has_value());
    EXPECT(full.error().code() == base::Code::kFailedPrecondition);
    EXPECT(Mentions(full.error(), "every range is one bucket"));
    EXPECT(Ring::Build(*last)->Replicas(1, 65535).front() == 256);
  }

  TEST_CASE("a count of vnodes that cannot be is refused") {
    EXPECT(!FoundingTokens(std::vector<std::uint32_t>{0}, 1).has_value());
    EXPECT(!FoundingTokens(std::vector<std::uint32_t>{257}, 1).has_value());
    EXPECT(!FoundingTokens(std::vector<std::uint32_t>(100, 256), 1).has_value());
    EXPECT(!JoiningTokens(FoundedBy(1), 0).has_value());
    EXPECT(!JoiningTokens(FoundedBy(1), 257).has_value());
  }
}

}  // namespace
}  // namespace starling::topology
