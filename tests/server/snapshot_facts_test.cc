// Goal:   what a snapshot says of its node is what the topology says, of the keyspaces asked for.
// Method: small topologies with their rings; a node that is ready and one that is not.
#include "server/snapshot_facts.h"

#include "tests/server/topology/builders.h"
#include "tests/test.h"

namespace starling::server {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;

Snapshot LookOf(std::uint32_t nodes, std::size_t self, bool ready = true) {
  auto topology = topology::FoundedBy(nodes);
  topology.keyspaces.push_back(
      {.id = 90, .name = "parts", .replication = topology::Parsed("simple:1")});
  Snapshot look;
  look.topology = topology::Share(std::move(topology));
  look.self = self;
  look.ring = topology::Ring::Build(*look.topology);
  look.peers.resize(nodes, {.up = true, .ready = ready});
  return look;
}

const SnapshotKeyspace& Named(const SnapshotManifest& facts, const std::string& name) {
  const auto found = std::find_if(facts.keyspaces.begin(), facts.keyspaces.end(),
                                  [&](const auto& each) { return each.name == name; });
  REQUIRE(found != facts.keyspaces.end());
  return *found;
}

TEST_SUITE("server/snapshot_facts") {
  TEST_CASE("ranges are the buckets that the node replicates, neighbours in one") {
    const Snapshot look = LookOf(3, 1);
    const auto facts = SnapshotFacts(look, "s", {}, kNow);
    REQUIRE(facts.has_value());
    EXPECT(Named(*facts, "default").ranges == std::vector<BucketRange>{{0, 65535}});
    const auto& ranges = Named(*facts, "parts").ranges;
    std::vector<bool> held(base::kBuckets);
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      if (i > 0) EXPECT(ranges[i - 1].last + 1 < ranges[i].first);
      std::fill(held.begin() + ranges[i].first, held.begin() + ranges[i].last + 1, true);
    }
    std::size_t wrong = 0;
    for (std::uint32_t bucket = 0; bucket < base::kBuckets; ++bucket)
      if (held[bucket] != (look.ring->Replicas(90, static_cast<std::uint16_t>(bucket))[0] == 1))
        ++wrong;
    EXPECT(wrong == 0);
  }

  TEST_CASE("cluster, epoch, node and time are those of the moment") {
    const Snapshot look = LookOf(3, 2);
    const auto facts = SnapshotFacts(look, "nightly", {}, kNow);
    REQUIRE(facts.has_value());
    EXPECT(facts->name == "nightly");
    EXPECT(facts->created_ms == kNow);
    EXPECT(facts->cluster_id == look.topology->cluster_id);
    EXPECT(facts->token_seed == look.topology->token_seed);
    EXPECT(facts->epoch == look.topology->epoch);
    EXPECT(facts->node == look.me());
    EXPECT(Named(*facts, "parts").replication == "simple:1");
  }

  TEST_CASE("only the keyspaces asked for, and none that is not there") {
    const Snapshot look = LookOf(1, 0);
    const auto facts = SnapshotFacts(look, "s", {"parts"}, kNow);
    REQUIRE(facts.has_value());
    REQUIRE(facts->keyspaces.size() == 1);
    EXPECT(facts->keyspaces[0].id == 90);
    const auto refused = SnapshotFacts(look, "s", {"parts", "nowhere"}, kNow);
    EXPECT(refused.error().code() == base::Code::kInvalidArgument);
    EXPECT(refused.error().message().find("nowhere") != std::string::npos);
  }

  TEST_CASE("a node that has yet to catch up with its ranges can't vouch for them") {
    const auto refused = SnapshotFacts(LookOf(3, 0, false), "s", {}, kNow);
    EXPECT(refused.error().code() == base::Code::kFailedPrecondition);
  }
}

}  // namespace
}  // namespace starling::server
