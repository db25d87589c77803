// Goal:   a topology that breaks a rule is named for it, and replication reads as users type it.
// Method: break one rule at a time in a topology that is right; tables of texts.
#include "server/topology/topology.h"

#include <functional>

#include "tests/server/topology/builders.h"
#include "tests/test.h"

namespace starling::topology {
namespace {

struct Breakage {
  std::function<void(Topology&)> apply;
  std::string message;
};

const std::vector<Breakage>& Breakages() {
  static const std::vector<Breakage> kBreakages{
      {[](Topology& t) { t.cluster_id = {}; }, "no cluster id"},
      {[](Topology& t) { t.epoch = 0; }, "epoch is 0"},
      {[](Topology& t) { t.generation = 0; }, "epoch is 0"},
      {[](Topology& t) { t.cluster_name = ""; }, "not a cluster name"},
      {[](Topology& t) { t.cluster_name = "a\nb"; }, "'a?b' is not a cluster name"},
      {[](Topology& t) { t.nodes.clear(); }, "0 nodes"},
      {[](Topology& t) { t.nodes[1].number = 1; }, "node number 1 stands after 1"},
      {[](Topology& t) { t.nodes[0].number = 0; }, "node number 0"},
      {[](Topology& t) { t.next_node_number = 3; }, "node number 3"},
      {[](Topology& t) { t.nodes[0].host = {}; }, "node 1 has no host id"},
      {[](Topology& t) { t.nodes[0].host = t.nodes[2].host; }, "is there twice"},
      {[](Topology& t) { t.nodes[0].cluster = t.nodes[2].cluster; },
       "two members have the address"},
      {[](Topology& t) { t.nodes[0].client.port = 0; }, "node 1 has no client address"},
      {[](Topology& t) { t.nodes[0].resp.ip = 0; }, "node 1 has no RESP address"},
      {[](Topology& t) { t.nodes[0].dc = ""; }, "not a datacenter name"},
      {[](Topology& t) { t.nodes[0].rack = "r 1"; }, "'r 1' is not a rack name"},
      {[](Topology& t) { t.nodes[0].state = NodeState(9); }, "unknown state 9"},
      {[](Topology& t) { t.nodes[0].tokens.clear(); }, "node 1 has 0 tokens"},
      {[](Topology& t) { std::swap(t.nodes[0].tokens[0], t.nodes[0].tokens[1]); }, "not sorted"},
      {[](Topology& t) { t.nodes[0].tokens[0] = t.nodes[0].tokens[1]; }, "not sorted"},
      {[](Topology& t) { t.nodes[0].tokens = t.nodes[1].tokens; }, "another node's"},
      {[](Topology& t) { t.nodes[0].state = NodeState::kReplaced; }, "gone, yet has tokens"},
      {[](Topology& t) { t.nodes[0].absent = t.epoch + 1; }, "which is yet to come"},
      {[](Topology& t) { t.nodes[0].absent = t.nodes[2].absent = 1; },
       "nodes 1 and 3 are both absent"},
      {[](Topology& t) {
         t.nodes[0].tokens.clear();
         t.nodes[0].state = NodeState::kReplaced;
         t.nodes[0].absent = 1;
       },
       "gone, yet absent"},
      {[](Topology& t) { t.voters.clear(); }, "0 voters"},
      {[](Topology& t) { t.voters[0] = {.high = 0, .low = 99}; }, "is not a node of it"},
      {[](Topology& t) { std::swap(t.voters[0], t.voters[1]); }, "voters are not sorted"},
      {[](Topology& t) { t.voters[0] = t.voters[1]; }, "voters are not sorted"},
      {[](Topology& t) { t.keyspaces[0].id = 0; }, "keyspace id 0"},
      {[](Topology& t) { t.next_keyspace_id = 1; }, "keyspace id 1"},
      {[](Topology& t) { t.keyspaces[0].name = "Upper"; }, "'Upper' is not a keyspace name"},
      {[](Topology& t) { t.keyspaces[0].replication.factor = 17; }, "go from 1 to 16"},
      {[](Topology& t) { t.keyspaces[0].replication.per_dc["dc1"] = 1; }, "names no datacenters"},
      {[](Topology& t) {
         t.keyspaces[0].replication = {
             Replication::Kind::kDatacenters, 0, {{"a", 16}, {"b", 16}, {"c", 1}}};
       },
       "at most 32 replicas in all"},
      {[](Topology& t) {
         t.keyspaces.push_back({2, "default", {}}), t.next_keyspace_id = 3;
       },
       "two keyspaces are named 'default'"},
  };
  return kBreakages;
}

TEST_SUITE("topology/topology") {
  TEST_CASE("a founded topology is valid") { EXPECT(Validate(FoundedBy(3)) == base::Ok()); }

  TEST_CASE("each broken rule is named") {
    for (const Breakage& breakage : Breakages()) {
      Topology topology = FoundedBy(3);
      breakage.apply(topology);
      const base::Status status = Validate(topology);
      DOCTEST_CAPTURE(breakage.message);
      DOCTEST_CAPTURE(status.ToString());
      EXPECT(status.code() == base::Code::kInvalidArgument);
      EXPECT(Mentions(status, breakage.message));
    }
  }

  TEST_CASE("nodes are found by host, number and, as long as they are members, address") {
    Topology topology = FoundedBy(3);
    EXPECT(topology.Find({.high = 0, .low = 2})->number == 2);
    EXPECT(topology.Find({.high = 0, .low = 9}) == nullptr);
    EXPECT(topology.FindNumber(3)->host.low == 3);
    EXPECT(topology.FindNumber(4) == nullptr);
    EXPECT(topology.FindAddress(AddressOf(1))->number == 1);
    EXPECT(topology.FindAddress(AddressOf(1, 7701)) == nullptr);
    topology.nodes[0].state = NodeState::kReplaced;
    EXPECT(topology.FindAddress(AddressOf(1)) == nullptr);
    EXPECT(topology.Find({.high = 0, .low = 1}) != nullptr);
    EXPECT(topology.members().size() == 2);
    EXPECT(topology.FindKeyspace("default")->id == 1);
    EXPECT(topology.FindKeyspace("other") == nullptr);
  }

  TEST_CASE("the generation counts before the epoch") {
    Topology a = FoundedBy(1), b = a;
    b.epoch = 9;
    EXPECT(Newer(b, a));
    a.generation = 2;
    EXPECT(Newer(a, b));
    EXPECT(!Newer(a, a));
  }

  TEST_CASE("replication is at most the number of nodes, by datacenter where it says so") {
    const Topology topology = FoundedBy(2);
    EXPECT(EffectiveFactor(topology, Parsed("simple:3")) == 2);
    EXPECT(EffectiveFactor(topology, Parsed("simple:1")) == 1);
    EXPECT(EffectiveFactor(topology, Parsed("dc1:3,dc2:2")) == 2);
  }

  TEST_CASE("replication texts are read and written alike") {
    for (const std::string text : {"simple:1", "simple:16", "dc1:3", "dc1:3,dc2:2"})
      EXPECT(Parsed(text).ToString() == text);
    EXPECT(Parsed("dc2:2,dc1:3").ToString() == "dc1:3,dc2:2");
  }

  TEST_CASE("a bad replication text is refused with the part that is wrong") {
    const std::vector<std::pair<std::string, std::string>> kBad{
        {"", "lacks a factor"},
        {"3", "'3' lacks a factor"},
        {"simple", "'simple' lacks a factor"},
        {"simple:", "'' is not a factor"},
        {"Everywhere", "'Everywhere' lacks a factor"},
        {"everywhere:3", "'everywhere' is a way of replication, not a datacenter"},
        {"simple:0", "'0' is not a factor from 1 to 16"},
        {"simple:17", "'17' is not a factor"},
        {"simple:-1", "'-1' is not a factor"},
        {"simple:3x", "'3x' is not a factor"},
        {"simple:99999999999999999999", "is not a factor"},
        {"simple:3,", "stands alone"},
        {"simple:3,dc2:2", "stands alone"},
        {"dc1:3,", "'' lacks a factor"},
        {"dc1:3,dc1:2", "'dc1' is there twice"},
        {"dc 1:3", "'dc 1' is not a datacenter name"},
        {":3", "'' is not a datacenter name"},
        {"dc1:3,,dc2:2", "'' lacks a factor"},
        {"dc1:3;dc2:2", "'3;dc2:2' is not a factor"},
    };
    for (const auto& bad : kBad) {
      const base::Result<Replication> parsed = Replication::Parse(bad.first);
      DOCTEST_CAPTURE(bad.first);
      REQUIRE(!parsed.has_value());
      EXPECT(parsed.error().code() == base::Code::kInvalidArgument);
      EXPECT(Mentions(parsed.error(), bad.second));
    }
  }
}

}  // namespace
}  // namespace starling::topology
