// Goal:   nodes that wait while a cluster is founded are in it from epoch 1 on, vote on nothing,
//         and keep nobody from founding.
// Method: two seeds and some newcomers by hand, as founding_test.cc; who waits says so to the
// seeds.
#include "server/topology/newcomers.h"

#include <algorithm>

#include "server/topology/codec.h"
#include "tests/server/topology/booting.h"
#include "tests/test.h"

namespace starling::topology {
namespace {

using Kind = Decision::Kind;

// What newcomer n asks of the seeds 1 and 2.
SeedHello AskOf(std::uint32_t n) {
  return {.node = NodeOf(n),
          .cluster_name = "test",
          .seeds = {AddressOf(1), AddressOf(2)},
          .bound_voters = {},
          .topology = {},
          .join = "sealed"};
}

// Seeds 1 and 2, both empty and agreed since time 0, once `meanwhile` is done with both.
struct TwoSeeds {
  Booting one = Start({.n = 1, .seeds = Seeds(2)});
  Booting two = Start({.n = 2, .seeds = Seeds(2)});

  void Ask(base::Instant now, const SeedHello& newcomer) const {
    one.founding->OnNewcomer(now, newcomer);
    two.founding->OnNewcomer(now, newcomer);
  }
  // Both have talked until nothing is left to say at this time.
  void Talk(base::Instant now) {
    Exchange(one, now, {{AddressOf(2), AnswerOf(two)}});
    Exchange(two, now, {{AddressOf(1), AnswerOf(one)}});
  }
};

std::vector<base::HostId> HostsIn(const Topology& topology) {
  std::vector<base::HostId> hosts;
  for (const Node& node : topology.nodes) hosts.push_back(node.host);
  return hosts;
}

TEST_SUITE("topology/newcomers") {
  TEST_CASE("who waits is in epoch 1, numbered behind the seeds, as a founder that votes not") {
    TwoSeeds seeds;
    seeds.Ask(At(0), AskOf(4));
    seeds.Ask(At(0), AskOf(3));
    seeds.Talk(At(0));
    EXPECT(seeds.one.decision().kind == Kind::kWait);
    EXPECT(seeds.one.decision().message ==
           "all seeds agree; 2 other nodes are to be taken in, and more may come");
    seeds.one.founding->OnTick(At(1000));
    REQUIRE(seeds.one.decision().kind == Kind::kPropose);
    EXPECT(seeds.one.decision().voters.size() == 2);
    const Topology& first = *seeds.one.decision().topology;
    EXPECT(HostsIn(first) ==
           std::vector{NodeOf(1).host, NodeOf(2).host, NodeOf(3).host, NodeOf(4).host});
    EXPECT(first.founders == 4);
    EXPECT(first.FoundedBy(NodeOf(4).host));
    EXPECT(first.voters == std::vector{NodeOf(1).host, NodeOf(2).host});
    EXPECT(first.nodes[3].tokens.size() == 16);
    EXPECT(DecodeTopology(EncodeTopology(first)) == first);
  }

  TEST_CASE("seeds wait for one second after the last that came, and for five at most") {
    TwoSeeds seeds;
    seeds.Ask(At(0), AskOf(3));
    seeds.Talk(At(0));
    SUBCASE("a second") {
      seeds.Ask(At(900), AskOf(4));
      seeds.Ask(At(1400), AskOf(3));  // It is there still, and does not come anew.
      seeds.Talk(At(1899));
      EXPECT(seeds.one.decision().kind == Kind::kWait);
      seeds.Talk(At(1900));
      REQUIRE(seeds.one.decision().kind == Kind::kPropose);
      EXPECT(seeds.one.decision().topology->nodes.size() == 4);
    }
    SUBCASE("five") {
      for (std::uint32_t n = 3; n < 30 && seeds.one.decision().kind == Kind::kWait; ++n) {
        for (std::uint32_t there = 3; there <= n; ++there)
          seeds.Ask(At(500 * (n - 3)), AskOf(there));
        seeds.Talk(At(500 * (n - 3)));
      }
      REQUIRE(seeds.one.decision().kind == Kind::kPropose);
      EXPECT(seeds.one.decision().topology->nodes.size() == 2 + 11);  // At 0, 500, … 5000 ms.
    }
  }

  TEST_CASE("the next seed proposes with those that wait, too, when the first one does not") {
    TwoSeeds seeds;
    seeds.Ask(At(0), AskOf(3));
    seeds.Talk(At(0));
    seeds.Ask(At(1500), AskOf(3));
    const auto first = AnswerOf(seeds.one);  // It answers, and does not act.
    Exchange(seeds.two, At(1999), {{AddressOf(1), first}});
    EXPECT(seeds.two.decision().message ==
           "all seeds agree; waiting for 10.0.0.1:7700 to found the cluster");
    Exchange(seeds.two, At(2000), {{AddressOf(1), first}});
    REQUIRE(seeds.two.decision().kind == Kind::kPropose);
    EXPECT(seeds.two.decision().topology->nodes.size() == 3);
  }

  TEST_CASE("who has fallen silent is not taken in, and nobody waits for it") {
    TwoSeeds seeds;
    seeds.Ask(At(0), AskOf(3));
    seeds.Talk(At(1501));
    REQUIRE(seeds.one.decision().kind == Kind::kPropose);
    EXPECT(seeds.one.decision().topology->nodes.size() == 2);
  }

  TEST_CASE("a newcomer whose directory was emptied is taken in as what it is now") {
    TwoSeeds seeds;
    seeds.Ask(At(0), AskOf(3));
    SeedHello again = AskOf(3);
    again.node.host = {.high = 0, .low = 33};
    seeds.Ask(At(100), again);
    seeds.Talk(At(100));
    seeds.Talk(At(1100));
    REQUIRE(seeds.one.decision().kind == Kind::kPropose);
    const Topology& first = *seeds.one.decision().topology;
    EXPECT(first.nodes.size() == 3);
    EXPECT(first.Find(again.node.host) != nullptr);
  }

  TEST_CASE("what cannot be taken in is left out, and the others found all the same") {
    TwoSeeds seeds;
    seeds.Ask(At(0), AskOf(3));
    SeedHello bad = AskOf(4);
    SUBCASE("a copy of a seed's directory") { bad.node.host = NodeOf(2).host; }
    SUBCASE("a copy of another newcomer's") { bad.node.host = NodeOf(3).host; }
    SUBCASE("at a seed's address") { bad.node.cluster = AddressOf(2); }
    SUBCASE("with a seed that these do not list: it may come to be of another cluster") {
      bad.seeds.push_back(AddressOf(9));
    }
    SUBCASE("that has promised its vote to others") { bad.bound_voters = {NodeOf(4).host}; }
    SUBCASE("that has a topology") { bad.topology = EncodeTopology(FoundedBy(4)); }
    SUBCASE("that is to replace somebody") { bad.replaces = true; }
    seeds.Ask(At(0), bad);
    seeds.Talk(At(0));
    seeds.Talk(At(1000));
    REQUIRE(seeds.one.decision().kind == Kind::kPropose);
    EXPECT(HostsIn(*seeds.one.decision().topology) ==
           std::vector{NodeOf(1).host, NodeOf(2).host, NodeOf(3).host});
  }

  TEST_CASE("a node that is no seed asks to be taken in, and takes nobody in itself") {
    const Booting three = Start({.n = 3, .seeds = Seeds(2)});
    EXPECT(three.founding->may_be_taken_in());
    EXPECT(!Start({.n = 1, .seeds = Seeds(2)}).founding->may_be_taken_in());
    EXPECT(!Start({.n = 3, .seeds = Seeds(2), .replaces = true}).founding->may_be_taken_in());
    three.founding->OnNewcomer(At(0), AskOf(4));
    three.founding->OnTick(At(2000));
    EXPECT(three.decision().kind == Kind::kWait);
  }

  TEST_CASE("no more than 256 are kept, and those that are gone make room") {
    Newcomers newcomers(base::seconds(1));
    EXPECT(!newcomers.LastCame(At(0)).has_value());
    for (std::uint32_t n = 0; n < kNewcomersMax + 10; ++n)
      newcomers.Hear(At(n < 2 ? 0 : 500), NodeOf(n + 1));
    EXPECT(newcomers.Present(At(1000)).size() == kNewcomersMax);
    newcomers.Hear(At(1001), NodeOf(1000));
    EXPECT(newcomers.Present(At(1001)).size() == kNewcomersMax - 1);
    EXPECT(newcomers.LastCame(At(1001)) == At(1001));
  }
}

}  // namespace
}  // namespace starling::topology
