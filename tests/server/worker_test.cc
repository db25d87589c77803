// Goal:   what a client or a peer may ask of a worker is bounded, and what no frame would carry is
//         an error in its place.
// Method: a real worker is asked over its connections.
#include "server/worker.h"

#include <fmt/core.h>

#include <string>

#include "server/wire/limits.h"
#include "storage/entry.h"
#include "tests/server/one_worker.h"
#include "tests/test.h"

namespace starling::server {
namespace {

wire::PutRequest PutOf(base::Bytes key, base::Bytes value) {
  return {.keyspace = kDefault,
          .key = key,
          .level = wire::Consistency::kOne,
          .value_digest = storage::ValueDigest(value),
          .stamp = {}};
}

wire::GetRequest GetOf(base::Bytes key) {
  return {.keyspace = kDefault, .key = key, .level = wire::Consistency::kOne};
}

base::Result<wire::ClusterMap> MapIn(const Told& told) {
  REQUIRE(told.kind == wire::Kind::kClusterMapReply);
  REQUIRE(wire::Decode<wire::ClusterMapReply>(told.header)->payload_digest ==
          base::Hash64(told.payload));
  return wire::Decode<wire::ClusterMap>(told.payload);
}

topology::Topology WithKeyspaces(topology::Topology topology, std::size_t keyspaces) {
  while (topology.keyspaces.size() < keyspaces) {
    auto next = topology::AddKeyspace(
        topology, fmt::format("{:0>48}", topology.keyspaces.size()),
        topology::Parsed(fmt::format("simple:{}", 1 + topology.keyspaces.size() % 16)));
    REQUIRE(next.has_value());
    topology = *std::move(next);
  }
  return topology;
}

TEST_SUITE("server/worker: the cluster map") {
  TEST_CASE("of as many keyspaces as there can be, and many nodes") {
    OneWorker node(WithKeyspaces(topology::FoundedBy(16), topology::kKeyspacesMax));
    node.Start({2, 3});
    const Told told = node.Ask(wire::ClusterMapRequest{});
    EXPECT(told.payload.size() > wire::kHeaderBytesMax);
    const auto map = MapIn(told);
    REQUIRE(map.has_value());
    EXPECT(map->nodes.size() == 16);
    REQUIRE(map->keyspaces.size() == topology::kKeyspacesMax);
    const topology::Keyspace& last = node.topology().keyspaces.back();
    EXPECT(map->keyspaces.back().id == last.id);
    EXPECT(map->keyspaces.back().name == last.name);
    EXPECT(map->keyspaces.back().ranges.size() > 16);
  }

  TEST_CASE("that no frame carries is an error, and the node serves on") {
    std::vector<topology::NodeInfo> nodes;
    for (std::uint32_t n = 1; n <= 16; ++n)
      nodes.push_back(topology::NodeOf(n, fmt::format("dc{}", n % 4), "r1", 256));
    auto topology = *topology::Found(topology::PlanOf(nodes));
    for (std::uint32_t n = 17; n <= 72; ++n) {
      auto next =
          topology::AdmitNode(topology, topology::NodeOf(n, fmt::format("dc{}", n % 4), "r1", 256));
      REQUIRE(next.has_value());
      topology = *std::move(next);
    }
    for (int i = 0; i < 81; ++i) {
      const std::string replication = fmt::format("dc0:{},dc1:{},dc2:{},dc3:{}", 2 + i % 3,
                                                  2 + i / 3 % 3, 2 + i / 9 % 3, 2 + i / 27 % 3);
      topology =
          *topology::AddKeyspace(topology, fmt::format("k{}", i), topology::Parsed(replication));
    }
    OneWorker node(topology);
    node.Start({});
    const Told told = node.Ask(wire::ClusterMapRequest{});
    EXPECT(CodeOf(told) == base::Code::kFailedPrecondition);
    EXPECT(wire::Decode<wire::ErrorReply>(told.header)->message.find("a frame carries at most") !=
           std::string::npos);
    EXPECT(node.Ask(wire::PingRequest{}).kind == wire::Kind::kPong);
  }
}

TEST_SUITE("server/worker: puts") {
  TEST_CASE("a stamp to repeat lies at most a day ahead") {
    OneWorker node(topology::FoundedBy(1));
    node.Start({});
    const auto ahead = [&](std::int64_t ms) {
      wire::PutRequest put = PutOf("key", "value");
      put.stamp = {static_cast<std::uint64_t>(node.WallMs() + ms) << 16, 1, 7};
      return CodeOf(node.Ask(put, "value"));
    };
    EXPECT(ahead(wire::kStampAheadMsMax - 60'000) == base::Code::kOk);
    EXPECT(ahead(wire::kStampAheadMsMax + 60'000) == base::Code::kInvalidArgument);
    EXPECT(ahead(std::int64_t{1} << 46) == base::Code::kInvalidArgument);
  }

  TEST_CASE("of a key with the highest version that there can be fails, and all stays legible") {
    OneWorker node(topology::FoundedBy(2));
    node.Start({2});
    const auto hold = [&](base::Bytes key, std::uint64_t timestamp) {
      const wire::ReplicaWrite write{.keyspace = kDefault,
                                     .key = key,
                                     .version = {timestamp, 2, 1},
                                     .value_digest = storage::ValueDigest("theirs"),
                                     .epoch = node.topology().epoch};
      const Told told = AskAsPeer(node, write, "theirs");
      EXPECT(wire::Decode<wire::ReplicaWriteReply>(told.header)->outcome ==
             wire::WriteOutcome::kOk);
    };
    hold("high", wire::kTimestampMax - 1);
    hold("highest", wire::kTimestampMax);
    const auto put = wire::Decode<wire::PutReply>(node.Ask(PutOf("high", "ours"), "ours").header);
    REQUIRE(put.has_value());
    EXPECT(put->version.timestamp == wire::kTimestampMax);
    const Told told = node.Ask(PutOf("highest", "ours"), "ours");
    EXPECT(CodeOf(told) == base::Code::kFailedPrecondition);
    EXPECT(node.Ask(GetOf("highest")).payload == "theirs");
  }

  TEST_CASE("that a replica supersedes by the highest version there can be ends, and is not sent") {
    OneWorker node(topology::FoundedBy(2));
    int writes = 0;
    node.peer(2).answer = [&](const wire::Frame& asked) {
      if (asked.kind != wire::Kind::kReplicaWrite) return std::string();
      ++writes;
      return FrameOf(asked.request_id,
                     wire::ReplicaWriteReply{.outcome = wire::WriteOutcome::kNeverHeld,
                                             .held = {wire::kTimestampMax, 2, 1}});
    };
    node.Start({2});
    wire::PutRequest put = PutOf("key", "ours");
    put.level = wire::Consistency::kQuorum;
    EXPECT(CodeOf(node.Ask(put, "ours")) == base::Code::kTimeout);
    EXPECT(writes == 1);
    EXPECT(node.Stats().restamps == 0);
  }

  TEST_CASE("a time to live is at most twenty years, and one over it is no put") {
    OneWorker node(topology::FoundedBy(1));
    node.Start({});
    wire::PutRequest put = PutOf("key", "value");
    put.ttl_ms = wire::kTtlMsMax + 1;
    EXPECT(CodeOf(node.Ask(put, "value")) == base::Code::kInvalidArgument);
    put.ttl_ms = ~0ULL;
    EXPECT(CodeOf(node.Ask(put, "value")) == base::Code::kInvalidArgument);
    const wire::GetRequest get{
        .keyspace = kDefault, .key = "key", .level = wire::Consistency::kOne};
    EXPECT(!wire::Decode<wire::GetReply>(node.Ask(get).header)->found);
    put.ttl_ms = wire::kTtlMsMax;
    EXPECT(CodeOf(node.Ask(put, "value")) == base::Code::kOk);
    const auto got = wire::Decode<wire::GetReply>(node.Ask(get).header);
    EXPECT(got->found);
    EXPECT(static_cast<std::int64_t>(got->expiry_ms) > node.WallMs());
  }
}

TEST_SUITE("server/worker: limits.memory") {
  TEST_CASE("a value as large as the limit is taken and read when nothing else is under way") {
    Config config;
    config.limits.memory_bytes_max = 1 << 20;
    config.limits.value_bytes_max = 1 << 20;
    OneWorker node(topology::FoundedBy(1), config);
    node.Start({});
    const std::string value(1 << 20, 'v');
    for (int i = 0; i < 3; ++i) {
      EXPECT(CodeOf(node.Ask(PutOf("key", value), value)) == base::Code::kOk);
      EXPECT(node.Ask(GetOf("key")).payload == value);
    }
  }

  TEST_CASE("reads for more than there is room for are refused, and none goes without an answer") {
    Config config;
    config.limits.memory_bytes_max = 4 << 20;
    config.limits.value_bytes_max = 1 << 20;
    OneWorker node(topology::FoundedBy(1), config);
    node.Start({});
    const std::string value(256 << 10, 'v');
    REQUIRE(CodeOf(node.Ask(PutOf("key", value), value)) == base::Code::kOk);
    REQUIRE(CodeOf(node.Ask(PutOf("small", "value"), "value")) == base::Code::kOk);
    std::vector<std::uint64_t> asked;
    asked.reserve(400);
    for (int i = 0; i < 400; ++i) asked.push_back(node.Begin(GetOf("key")));
    int answered = 0;
    int refused = 0;
    for (const std::uint64_t id : asked) {
      const Told told = node.AnswerTo(id);
      if (CodeOf(told) == base::Code::kOk) {
        EXPECT(told.payload == value);
        ++answered;
      } else {
        EXPECT(CodeOf(told) == base::Code::kOverloaded);
        EXPECT(wire::Decode<wire::ErrorReply>(told.header)->message.find("limits.memory") !=
               std::string::npos);
        ++refused;
      }
    }
    EXPECT(answered > 0);
    EXPECT(refused > 0);
    EXPECT(node.Stats().overloaded == static_cast<std::uint64_t>(refused));
    EXPECT(node.Ask(GetOf("small")).payload == "value");
    EXPECT(node.Ask(GetOf("key")).payload == value);
  }

  TEST_CASE("a replica's write for which there is no room is refused, and the put goes on") {
    Config config;
    config.limits.memory_bytes_max = 1 << 20;
    OneWorker node(topology::FoundedBy(2), config);
    node.peer(2).answer = [](const wire::Frame& asked) {
      return FrameOf(asked.request_id, wire::ErrorReply{base::Code::kOverloaded, "full", {}});
    };
    node.Start({2});
    EXPECT(CodeOf(node.Ask(PutOf("key", "value"), "value")) == base::Code::kOk);
    EXPECT(node.Await(base::seconds(10), [&] { return node.Stats().hints.stored == 1; }));
  }
}

}  // namespace
}  // namespace starling::server
