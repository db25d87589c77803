// Goal:   whatever happens to a cluster, what I1 to I8 promise holds, and it agrees again.
// Method: courses of kills, pauses, loss, duplicates, delays, cuts, partitions, clock steps,
// restarts, goodbyes, and rumors drawn from seeds; half of the clusters seal their packets.
#include "tests/gossip/invariants.h"

#include "tests/seeds.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

// How many schedules, and the first of them: one that failed is played alone.
std::uint64_t Seeds() { return FromEnvironment("STARLING_SWIM_SEEDS", 100); }
std::uint64_t FirstSeed() { return FromEnvironment("STARLING_SWIM_FIRST", 1); }

std::string Packet(NodeIndex node, const Network& net, const Body& body) {
  return Encoded({.header = {net.host(node), 1, 0}, .body = body},
                 NetworkOptions{}.cluster_name.c_str());
}

TEST_SUITE("gossip/invariants") {
  TEST_CASE("an older version after a newer one is found") {
    Cluster cluster(3, {.gossip = {}, .seed = 1});
    Invariants invariants(cluster.net, {});
    for (const std::uint64_t version : {5, 6, 4}) {
      EXPECT(invariants.first() == "");
      cluster.net.on_event(cluster.net.now(), 1,
                           {.kind = Event::kRumor, .rumor_key = "a", .rumor_version = version});
    }
    EXPECT(invariants.first().starts_with("I8: node 1"));
    EXPECT(!invariants.SameRumors());
  }

  TEST_CASE("a death of somebody who answered another accuser is found, on sound ways alone") {
    for (const Invariants::Ways ways : {Invariants::Ways::kSound, Invariants::Ways::kFaulty}) {
      Cluster cluster(4, {.gossip = {}, .seed = 1});
      Network& net = cluster.net;
      REQUIRE(cluster.AgreesWithin(base::seconds(5)));
      Invariants invariants(net, {});
      net.Kill(2);
      REQUIRE(net.RunUntil(base::seconds(5),
                           [&] { return cluster.Sees(0, 2) == Liveness::kUnreachable; }));
      invariants.Disturbed(ways);
      net.RunFor(base::milliseconds(10));
      net.on_delivery(net.now(), 0, 2, Packet(0, net, Ping{77, net.host(2)}));
      net.on_delivery(net.now(), 2, 0, Packet(2, net, Ack{77}));
      net.RunFor(base::milliseconds(2500));
      EXPECT(invariants.first() == "");
      net.on_event(net.now(), 1,
                   {.kind = Event::kDead,
                    .member = *net.core(1).Find(net.host(2)),
                    .reason = "did not refute within 4000 ms"});
      EXPECT(invariants.first().starts_with(
                 "I7: node 1 declares 2 dead, which answered 0, an accuser") ==
             (ways == Invariants::Ways::kSound));
    }
  }

  TEST_CASE("random schedules of faults on 3 to 64 nodes violate nothing") {
    for (std::uint64_t seed = FirstSeed(); seed < FirstSeed() + Seeds(); ++seed) {
      DOCTEST_INFO("seed ", seed);
      EXPECT(PlaySchedule(seed) == "");
    }
  }
}

}  // namespace
}  // namespace starling::gossip
