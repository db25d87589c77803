// Goal:   a change that would make the topology larger than a rumor carries is refused by name.
// Method: changes are made until one does not fit.
#include <fmt/core.h>

#include "server/topology/changes.h"
#include "server/topology/codec.h"
#include "tests/server/topology/builders.h"

namespace starling::topology {
namespace {

std::string LongName(std::uint32_t n) { return fmt::format("{:x>64}", n); }

// Fifteen datacenters with the longest names, so that replications are long too.
Topology Wide() {
  std::vector<NodeInfo> nodes;
  for (std::uint32_t n = 1; n <= 15; ++n) nodes.push_back(NodeOf(n, LongName(n), LongName(n)));
  base::Result<Topology> topology = Found(PlanOf(nodes));
  REQUIRE(topology.has_value());
  return *std::move(topology);
}

TEST_SUITE("topology/changes: size") {
  TEST_CASE("keyspaces are added as long as the topology can be told") {
    Topology topology = Wide();
    Replication everywhere{.kind = Replication::Kind::kDatacenters, .factor = 0, .per_dc = {}};
    for (const Node& node : topology.nodes) everywhere.per_dc[node.dc] = 1;
    // Most of them at once: each change copies what is there.
    for (base::KeyspaceId id = topology.next_keyspace_id; topology.keyspaces.size() < 850; ++id) {
      topology.keyspaces.push_back({id, fmt::format("k{}", topology.keyspaces.size()), everywhere});
      topology.next_keyspace_id = id + 1;
    }
    base::Status refused;
    while (refused.ok()) {
      auto next = AddKeyspace(topology, fmt::format("k{}", topology.keyspaces.size()), everywhere);
      if (next)
        topology = *std::move(next);
      else
        refused = next.error();
    }
    EXPECT(refused.code() == base::Code::kFailedPrecondition);
    EXPECT(Mentions(refused, fmt::format("{} is the limit", kTopologyBytesMax)));
    EXPECT(topology.keyspaces.size() > 900);
    const std::string bytes = EncodeTopology(topology);
    EXPECT(bytes.size() <= kTopologyBytesMax);
    EXPECT(bytes.size() > kTopologyBytesMax - 2000);
    EXPECT(DecodeTopology(bytes).has_value());

    // And so are nodes.
    std::uint32_t n = 100;
    base::Result<Topology> next = topology;
    for (; next && n < 200; ++n) {
      topology = *std::move(next);
      next = AdmitNode(topology, NodeOf(n, LongName(n), LongName(n)));
    }
    REQUIRE(!next.has_value());
    EXPECT(Mentions(next.error(), fmt::format("{} is the limit", kTopologyBytesMax)));
    EXPECT(EncodeTopology(topology).size() <= kTopologyBytesMax);
  }

  TEST_CASE("a larger one from a peer is refused") {
    const auto decoded = DecodeTopology(std::string(kTopologyBytesMax + 1, '\0'));
    REQUIRE(!decoded.has_value());
    EXPECT(decoded.error().code() == base::Code::kInvalidArgument);
  }
}

TEST_SUITE("topology/changes: descent") {
  TEST_CASE("an acceptor learns no topology that forgets a node, whatever its epoch") {
    const Topology before = FoundedBy(3);
    Acceptor acceptor({.high = 0, .low = 1}, Share(before));
    Topology later = before;
    later.epoch = 9;
    EXPECT(CheckDescendant(before, later).ok());
    Topology forgetful = later;
    forgetful.nodes.pop_back();
    std::erase(forgetful.voters, base::HostId{.high = 0, .low = 3});
    REQUIRE(Validate(forgetful).ok());
    EXPECT(!CheckDescendant(before, forgetful).ok());
    EXPECT(!acceptor.Learn(Share(forgetful)));
    const Vote vote = acceptor.OnRequest({.kind = PaxosRequest::Kind::kLearn,
                                          .epoch = 9,
                                          .ballot = {},
                                          .voters = {},
                                          .value = EncodeTopology(forgetful)});
    EXPECT(vote.reply.kind == PaxosReply::Kind::kRejected);
    EXPECT(*acceptor.known() == before);
    EXPECT(acceptor.Learn(Share(later)));
  }
}

}  // namespace
}  // namespace starling::topology
