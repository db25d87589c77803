// Goal:   each change gives the next epoch or says why not, and applied twice changes nothing more.
// Method: small clusters by hand; one wrong thing at a time.
#include "server/topology/changes.h"

#include <algorithm>

#include "server/topology/ring.h"
#include "tests/server/topology/builders.h"
#include "tests/test.h"

namespace starling::topology {
namespace {

base::Status StatusOf(const base::Result<Topology>& result) {
  return result.has_value() ? base::Ok() : result.error();
}

TEST_SUITE("topology/changes") {
  TEST_CASE("founding numbers the seeds by address, and gives keyspace default") {
    const auto topology = Found(PlanOf({NodeOf(3), NodeOf(1), NodeOf(2)}));
    REQUIRE(topology.has_value());
    EXPECT(topology->epoch == 1);
    EXPECT(topology->generation == 1);
    EXPECT(topology->nodes[0].host.low == 1);
    EXPECT(topology->nodes[2].number == 3);
    EXPECT(topology->voters.size() == 3);
    REQUIRE(topology->FindKeyspace("default") != nullptr);
    EXPECT(topology->FindKeyspace("default")->replication.ToString() == "simple:3");
  }

  TEST_CASE("who founded the cluster is known for good, and nobody who came later founded it") {
    const Topology founded = FoundedBy(3);
    EXPECT(founded.founders == 3);
    EXPECT(founded.FoundedBy(NodeOf(3).host));
    EXPECT(!founded.FoundedBy(NodeOf(4).host));
    const auto joined = AdmitNode(founded, NodeOf(4));
    REQUIRE(joined.has_value());
    NodeInfo second = NodeOf(5);
    second.cluster = AddressOf(3);
    const auto replaced = ReplaceNode(*joined, {AddressOf(3)}, second);
    REQUIRE(replaced.has_value());
    EXPECT(replaced->FoundedBy(NodeOf(1).host));
    EXPECT(!replaced->FoundedBy(NodeOf(4).host));
    EXPECT(!replaced->FoundedBy(second.host));
    Topology forged = *joined;
    forged.founders = 4;
    EXPECT(Mentions(CheckSuccessor(founded, forged), "who founded"));
  }

  TEST_CASE("of more than five seeds five vote, over as many racks as there are") {
    std::vector<NodeInfo> seeds;
    for (std::uint32_t n = 1; n <= 8; ++n) seeds.push_back(NodeOf(n, "dc1", n < 5 ? "a" : "b"));
    seeds.push_back(NodeOf(9, "dc1", "c"));
    const auto topology = Found(PlanOf(seeds));
    REQUIRE(topology.has_value());
    EXPECT(topology->voters == std::vector<base::HostId>{{0, 1}, {0, 2}, {0, 5}, {0, 6}, {0, 9}});
  }

  TEST_CASE("seeds that cannot found are refused") {
    EXPECT(!Found(PlanOf({})).has_value());
    EXPECT(!Found(PlanOf(NodesOf(17))).has_value());
    EXPECT(Mentions(StatusOf(Found(PlanOf({NodeOf(1), NodeOf(1)}))), "is there twice"));
    EXPECT(Mentions(StatusOf(Found(PlanOf({NodeOf(1, "d c")}))), "not a datacenter name"));
    EXPECT(Mentions(StatusOf(Found(PlanOf({NodeOf(1, "dc1", "r1", 0)}))), "vnodes"));
  }

  TEST_CASE("a keyspace is added once; the same again is done, another is refused") {
    const Topology before = FoundedBy(3);
    const auto after = AddKeyspace(before, "users", Parsed("simple:2"));
    REQUIRE(after.has_value());
    EXPECT(after->epoch == 2);
    EXPECT(after->FindKeyspace("users")->id == 2);
    EXPECT(AddKeyspace(*after, "users", Parsed("simple:2")) == *after);
    const base::Status other = StatusOf(AddKeyspace(*after, "users", Parsed("dc1:2")));
    EXPECT(other.code() == base::Code::kAlreadyExists);
    EXPECT(other.message() == "keyspace 'users' exists with replication simple:2, not dc1:2");
  }

  TEST_CASE("a keyspace with a bad name or for an unknown datacenter is refused") {
    const Topology topology = FoundedBy(3);
    for (const std::string name : {"", "Users", "a b", "a/b", "ü", "a.b"})
      EXPECT(Mentions(StatusOf(AddKeyspace(topology, name, Parsed("simple:1"))),
                      "is not a keyspace name"));
    EXPECT(StatusOf(AddKeyspace(topology, std::string(49, 'a'), Parsed("simple:1"))).code() ==
           base::Code::kInvalidArgument);
    EXPECT(AddKeyspace(topology, std::string(48, 'a'), Parsed("simple:1")).has_value());
    const base::Status unknown = StatusOf(AddKeyspace(topology, "k", Parsed("dc1:1,dc9:2")));
    EXPECT(Mentions(unknown, "datacenter 'dc9', which has no node; there are dc1"));
  }

  TEST_CASE("an admitted node has a new number and tokens; voters stay; again changes nothing") {
    const Topology before = FoundedBy(3);
    const auto after = AdmitNode(before, NodeOf(4));
    REQUIRE(after.has_value());
    EXPECT(after->epoch == 2);
    EXPECT(after->voters == before.voters);
    EXPECT(after->nodes[3].number == 4);
    EXPECT(after->nodes[3].tokens.size() == 16);
    EXPECT(after->nodes[0] == before.nodes[0]);
    EXPECT(AdmitNode(*after, NodeOf(4)) == *after);
    EXPECT(CheckSuccessor(before, *after) == base::Ok());
  }

  TEST_CASE("a replacement takes over tokens under its own number, and every range with them") {
    const Topology before = FoundedBy(4);
    NodeInfo fresh = NodeOf(9);
    SUBCASE("at the same address") { fresh.cluster = AddressOf(2); }
    SUBCASE("at another address") {}
    const auto after = ReplaceNode(before, {AddressOf(2)}, fresh);
    REQUIRE(after.has_value());
    EXPECT(after->epoch == 2);
    EXPECT(after->nodes[1].state == NodeState::kReplaced);
    EXPECT(after->nodes[1].tokens.empty());
    EXPECT(after->nodes[4].number == 5);
    EXPECT(after->nodes[4].tokens == before.nodes[1].tokens);
    EXPECT(after->voters == before.voters);
    EXPECT(ReplaceNode(*after, {AddressOf(2)}, fresh) == *after);
    EXPECT(CheckSuccessor(before, *after) == base::Ok());
    const auto old_ring = Ring::Build(before), new_ring = Ring::Build(*after);
    for (std::uint32_t b = 0; b < base::kBuckets; b += 97) {
      const auto bucket = static_cast<std::uint16_t>(b);
      const auto was = old_ring->Replicas(1, bucket), is = new_ring->Replicas(1, bucket);
      REQUIRE(was.size() == is.size());
      for (std::size_t i = 0; i < was.size(); ++i) EXPECT(is[i] == (was[i] == 1 ? 4 : was[i]));
    }
  }

  TEST_CASE("who lost data is named as back, once, and gives its seat away") {
    const Topology before = FoundedBy(3);
    const auto back = ReturnNode(before, NodeOf(2).host, 7);
    REQUIRE(back.has_value());
    EXPECT(back->epoch == 2);
    EXPECT(back->nodes[1].back == 7);
    EXPECT(back->voters == before.voters);
    EXPECT(CheckSuccessor(before, *back) == base::Ok());
    EXPECT(ReturnNode(*back, NodeOf(2).host, 7) == *back);
    EXPECT(ReturnNode(*back, NodeOf(2).host, 8)->nodes[1].back == 8);
    Topology forgets = *back;
    forgets.epoch = 3;
    forgets.nodes[1].back = 0;
    EXPECT(Mentions(CheckSuccessor(*back, forgets), "forgets that node 2 lost data"));
    EXPECT(Mentions(StatusOf(ReturnNode(before, NodeOf(9).host, 1)), "it is no member"));
    EXPECT(
        Mentions(StatusOf(ReturnNode(FoundedBy(1), NodeOf(1).host, 1)), "the only one that votes"));
  }

  TEST_CASE("one member at a time is declared absent, until it is named as back or replaced") {
    const Topology before = FoundedBy(3);
    const auto absent = DeclareAbsent(before, NodeOf(2).host);
    REQUIRE(absent.has_value());
    EXPECT(absent->epoch == 2);
    EXPECT(absent->nodes[1].absent == 2);
    EXPECT(absent->nodes[1].tokens == before.nodes[1].tokens);
    EXPECT(absent->voters == before.voters);
    EXPECT(CheckSuccessor(before, *absent) == base::Ok());
    EXPECT(DeclareAbsent(*absent, NodeOf(2).host) == *absent);
    EXPECT(Mentions(StatusOf(DeclareAbsent(*absent, NodeOf(3).host)), "is absent already"));
    EXPECT(Mentions(StatusOf(DeclareAbsent(before, NodeOf(9).host)), "it is no member"));
    SUBCASE("back, under whatever boot it has by then") {
      for (const std::uint64_t boot : {3, 7, 9}) {
        const Topology away =
            *DeclareAbsent(*ReturnNode(before, NodeOf(2).host, 7), NodeOf(2).host);
        const auto back = ReturnNode(away, NodeOf(2).host, boot);
        REQUIRE(back.has_value());
        EXPECT(back->epoch == away.epoch + 1);
        EXPECT(back->nodes[1].absent == 0);
        EXPECT(back->nodes[1].back == std::max<std::uint64_t>(boot, 7));
        EXPECT(CheckSuccessor(away, *back) == base::Ok());
      }
    }
    SUBCASE("replaced, and then another one may be") {
      const auto replaced = ReplaceNode(*absent, {AddressOf(2)}, NodeOf(9));
      REQUIRE(replaced.has_value());
      EXPECT(DeclareAbsent(*replaced, NodeOf(3).host).has_value());
    }
    SUBCASE("no epoch forgets it") {
      Topology forgets = before;
      forgets.epoch = 3;
      EXPECT(Mentions(CheckSuccessor(*absent, forgets), "takes node 2 for present"));
    }
  }

  TEST_CASE("seats are taken one an epoch, up to an odd number, by members that are ready") {
    const auto hosts = [](std::uint32_t count) {
      std::vector<base::HostId> all;
      for (std::uint32_t n = 1; n <= count; ++n) all.push_back(NodeOf(n).host);
      return all;
    };
    const Topology founded = FoundedBy(3);
    EXPECT(SeatVoter(founded, hosts(3)) == founded);
    Topology grown = FoundedBy(1);
    for (std::uint32_t n = 2; n <= 6; ++n) grown = *AdmitNode(grown, NodeOf(n));
    const std::uint64_t epoch = grown.epoch;
    for (int i = 0; i < 9; ++i) grown = *SeatVoter(grown, hosts(6));
    EXPECT(grown.voters == hosts(5));
    EXPECT(grown.epoch == epoch + 4);
    const Topology replaced = *ReplaceNode(founded, {AddressOf(2)}, NodeOf(9));
    EXPECT(SeatVoter(replaced, {NodeOf(1).host, NodeOf(3).host}) == replaced);
    const Topology reseated = *SeatVoter(replaced, {NodeOf(1).host, NodeOf(9).host});
    EXPECT(reseated.voters == std::vector<base::HostId>{{0, 1}, {0, 3}, {0, 9}});
    EXPECT(reseated.epoch == replaced.epoch + 1);
    const Topology pair = *AdmitNode(FoundedBy(1), NodeOf(2));
    EXPECT(SeatVoter(pair, hosts(2)) == pair);
  }

  TEST_CASE("a replaced node may never return, nor its number be given again") {
    auto topology = ReplaceNode(FoundedBy(3), {AddressOf(2)}, NodeOf(9));
    REQUIRE(topology.has_value());
    const base::Status back = StatusOf(AdmitNode(*topology, NodeOf(2)));
    EXPECT(back.code() == base::Code::kFailedPrecondition);
    EXPECT(Mentions(back, "was replaced and may not return"));
    topology = AdmitNode(*topology, NodeOf(10));
    REQUIRE(topology.has_value());
    EXPECT(topology->nodes.back().number == 5);
  }

  TEST_CASE("an empty data directory at a member's address is told about node.replace") {
    const base::Status status = CheckJoin(FoundedBy(3),
                                          [] {
                                            NodeInfo emptied = NodeOf(9);
                                            emptied.cluster = AddressOf(2);
                                            return emptied;
                                          }(),
                                          {});
    EXPECT(status.code() == base::Code::kFailedPrecondition);
    EXPECT(Mentions(status, "was it emptied?"));
    EXPECT(Mentions(status, "node.replace = 10.0.0.2:7700"));
  }

  TEST_CASE("a member may start again as it is, with node.replace still set or not") {
    const Topology topology = FoundedBy(3);
    EXPECT(CheckJoin(topology, NodeOf(2), {}) == base::Ok());
    EXPECT(CheckJoin(topology, NodeOf(2), {AddressOf(1)}) == base::Ok());
  }

  TEST_CASE("a member moves, with nothing else changed; again changes nothing") {
    const Topology before = FoundedBy(3);
    NodeInfo moved = NodeOf(2);
    moved.cluster = AddressOf(20);
    moved.client = AddressOf(20, 7701);
    moved.resp = AddressOf(2, 7799);
    EXPECT(CheckJoin(before, moved, {}) == base::Ok());
    const auto after = MoveNode(before, moved);
    REQUIRE(after.has_value());
    EXPECT(CheckSuccessor(before, *after) == base::Ok());
    EXPECT(after->nodes[1].cluster == AddressOf(20));
    EXPECT(after->nodes[1].client == AddressOf(20, 7701));
    EXPECT(after->nodes[1].resp == AddressOf(2, 7799));
    EXPECT(SameOwners(before, *after));
    EXPECT(!SameAddresses(before, *after));
    EXPECT(after->voters == before.voters);
    EXPECT(MoveNode(*after, moved) == *after);
    EXPECT(MoveNode(before, NodeOf(2)) == before);
    EXPECT(MoveNode(*after, NodeOf(2))->nodes == before.nodes);
  }

  TEST_CASE("members take each other's addresses, one after the other") {
    NodeInfo first = NodeOf(1), second = NodeOf(2);
    std::swap(first.cluster, second.cluster);
    std::swap(first.client, second.client);
    std::swap(first.resp, second.resp);
    second.resp = AddressOf(1, 7799);
    const auto halfway = MoveNode(FoundedBy(3), first);
    REQUIRE(halfway.has_value());
    EXPECT(IsReachedAt(halfway->nodes[0], first));
    EXPECT(halfway->nodes[1].cluster == AddressOf(1));  // Until it says where it is.
    const auto done = MoveNode(*halfway, second);
    REQUIRE(done.has_value());
    EXPECT(IsReachedAt(done->nodes[0], first));
    EXPECT(IsReachedAt(done->nodes[1], second));
  }

  TEST_CASE("who is no member does not move") {
    EXPECT(Mentions(StatusOf(MoveNode(FoundedBy(3), NodeOf(4))), "it is no member"));
    NodeInfo second = NodeOf(5);
    second.cluster = AddressOf(3);
    const auto replaced = ReplaceNode(FoundedBy(3), {AddressOf(3)}, second);
    REQUIRE(replaced.has_value());
    EXPECT(Mentions(StatusOf(MoveNode(*replaced, NodeOf(3))), "it is no member"));
  }

  TEST_CASE("who is to be replaced is named by its address, or by its host id") {
    const Topology before = FoundedBy(3);
    const Replaced by_id{.address = {}, .host = NodeOf(2).host};
    EXPECT(ReplaceNode(before, by_id, NodeOf(9)) == ReplaceNode(before, {AddressOf(2)}, NodeOf(9)));
    NodeInfo there = NodeOf(9);
    there.cluster = AddressOf(2);
    EXPECT(CheckJoin(before, there, by_id) == base::Ok());
    const Replaced stranger{.address = {}, .host = NodeOf(7).host};
    EXPECT(Mentions(StatusOf(ReplaceNode(before, stranger, NodeOf(9))),
                    "it is no member; the members are 10.0.0.1:7700 (host "));
  }

  TEST_CASE("nobody to replace, another's address, or another rack is refused") {
    const Topology topology = FoundedBy(3);
    const base::Status nobody = StatusOf(ReplaceNode(topology, {AddressOf(7)}, NodeOf(9)));
    EXPECT(Mentions(nobody, "no member has that address; the members are 10.0.0.1:7700 (host "));
    EXPECT(Mentions(StatusOf(ReplaceNode(topology, {AddressOf(2)}, NodeOf(9, "dc1", "r2"))),
                    "it is in datacenter dc1, rack r1, and the new one in dc1, r2"));
    NodeInfo clash = NodeOf(9);
    clash.cluster = AddressOf(3);
    EXPECT(Mentions(StatusOf(ReplaceNode(topology, {AddressOf(2)}, clash)), "address of member"));
  }

  TEST_CASE("what cannot follow an epoch is named") {
    const Topology before = FoundedBy(3);
    Topology after = before;
    after.epoch = 2;
    REQUIRE(CheckSuccessor(before, after).ok());
    std::string why;
    SUBCASE("cluster") { after.cluster_id.low = 99, why = "it is of cluster"; }
    SUBCASE("seed") { after.token_seed = 8, why = "token seed"; }
    SUBCASE("epoch") { after.epoch = 3, why = "not the next one"; }
    SUBCASE("dropped") { after.nodes.pop_back(), why = "it drops node 3"; }
    SUBCASE("host") { after.nodes[0].host.low = 99, why = "it drops node 1"; }
    SUBCASE("numbers") { after.next_node_number = 1, why = "given out again"; }
    SUBCASE("keyspaces") { after.next_keyspace_id = 1, why = "given out again"; }
    EXPECT(Mentions(CheckSuccessor(before, after), why));
  }
}

}  // namespace
}  // namespace starling::topology
