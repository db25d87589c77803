// Goal:   what is encoded comes back the same, and no bytes from outside do harm.
// Method: round trips of each message; RapidCheck cuts and flips bytes; named bad values.
#include "server/topology/codec.h"

#include <rapidcheck.h>

#include "tests/server/topology/builders.h"
#include "tests/test.h"

namespace starling::topology {
namespace {

// Two datacenters, a node that is gone, three kinds of replication.
Topology Rich() {
  base::Result<Topology> topology = Found(PlanOf(
      {NodeOf(1), NodeOf(2, "dc1", "r2"), NodeOf(3, "dc2", "r1"), NodeOf(4, "dc2", "r2", 3)}));
  REQUIRE(topology.has_value());
  topology = AddKeyspace(*topology, "users", Parsed("dc1:2,dc2:1"));
  REQUIRE(topology.has_value());
  topology = AddKeyspace(*topology, "settings", Parsed("everywhere"));
  REQUIRE(topology.has_value());
  topology = ReplaceNode(*topology, {AddressOf(2)}, NodeOf(5, "dc1", "r2"));
  REQUIRE(topology.has_value());
  topology = ReturnNode(*topology, NodeOf(1).host, 6);
  REQUIRE(topology.has_value());
  topology = DeclareAbsent(*topology, NodeOf(3).host);
  REQUIRE(topology.has_value());
  return *topology;
}

PaxosReply RichReply() {
  return {.kind = PaxosReply::Kind::kPromise,
          .from = {.high = 1, .low = 2},
          .epoch = 4,
          .ballot = {.round = 7, .proposer = {.high = 3, .low = 4}},
          .promised = {.round = 8, .proposer = {.high = 5, .low = 6}},
          .accepted = {.round = 6, .proposer = {.high = 7, .low = 8}},
          .value = "value",
          .known_epoch = 3,
          .reason = "because"};
}

AcceptorState RichState() {
  return {.epoch = 4,
          .voters = {{.high = 0, .low = 1}, {.high = 0, .low = 2}},
          .promised = {.round = 8, .proposer = {.high = 5, .low = 6}},
          .accepted = {.round = 6, .proposer = {.high = 7, .low = 8}},
          .value = "value"};
}

SeedHello RichHello() {
  return {.round = 77,
          .node = NodeOf(3),
          .cluster_name = "test",
          .seeds = {AddressOf(1), AddressOf(2)},
          .bound_voters = {{.high = 0, .low = 1}, {.high = 0, .low = 2}},
          .topology = EncodeTopology(Rich()),
          .replaces = true,
          .join = "sealed"};
}

template <typename Decode>
bool FailsNaming(const Decode& decode, const std::string& bytes, const std::string& text) {
  const auto decoded = decode(bytes);
  return !decoded.has_value() && Mentions(decoded.error(), text);
}

TEST_SUITE("topology/codec") {
  TEST_CASE("a topology comes back the same, and the same value has the same bytes") {
    const Topology topology = Rich();
    const std::string bytes = EncodeTopology(topology);
    const base::Result<Topology> decoded = DecodeTopology(bytes);
    REQUIRE(decoded.has_value());
    EXPECT(*decoded == topology);
    EXPECT(EncodeTopology(*decoded) == bytes);
  }

  TEST_CASE("messages come back the same") {
    PaxosRequest request{.kind = PaxosRequest::Kind::kAccept,
                         .epoch = 3,
                         .ballot = {.round = 7, .proposer = {.high = 3, .low = 4}},
                         .voters = {{.high = 0, .low = 1}, {.high = 0, .low = 2}},
                         .value = EncodeTopology(Rich())};
    EXPECT(DecodePaxosRequest(EncodePaxosRequest(request)) == request);
    EXPECT(DecodePaxosReply(EncodePaxosReply(RichReply())) == RichReply());
    EXPECT(DecodeAcceptorState(EncodeAcceptorState(RichState())) == RichState());
    EXPECT(DecodeAcceptorState(EncodeAcceptorState({})) == AcceptorState{});
    EXPECT(DecodeNodeInfo(EncodeNodeInfo(NodeOf(3))) == NodeOf(3));
    EXPECT(DecodeSeedHello(EncodeSeedHello(RichHello())) == RichHello());
  }

  TEST_CASE("a topology that breaks a rule is not decoded") {
    Topology topology = Rich();
    topology.voters.push_back({.high = 9, .low = 9});
    EXPECT(FailsNaming(DecodeTopology, EncodeTopology(topology), "is not a node of it"));
    EXPECT(FailsNaming(DecodeTopology, "", "no cluster id"));
    EXPECT(FailsNaming(DecodeTopology, "\xff garbage", "is not a message"));
    const std::string huge(kTopologyBytesMax + 1, 'x');
    EXPECT(FailsNaming(DecodeTopology, huge, "is the limit"));
  }

  TEST_CASE("messages with what cannot be are refused, each by name") {
    PaxosRequest request{.epoch = 1, .ballot = {}, .voters = {}, .value = {}};
    request.kind = PaxosRequest::Kind(0);
    EXPECT(FailsNaming(DecodePaxosRequest, EncodePaxosRequest(request), "unknown kind 0"));
    request.kind = PaxosRequest::Kind(9);
    EXPECT(FailsNaming(DecodePaxosRequest, EncodePaxosRequest(request), "unknown kind 9"));
    request = {.epoch = 0, .ballot = {}, .voters = {}, .value = {}};
    EXPECT(FailsNaming(DecodePaxosRequest, EncodePaxosRequest(request), "epoch 0"));
    request = {.epoch = 1, .ballot = {}, .voters = {{0, 2}, {0, 1}}, .value = {}};
    EXPECT(FailsNaming(DecodePaxosRequest, EncodePaxosRequest(request), "not sorted"));
    request.voters.clear();
    for (std::uint64_t n = 1; n <= kSeedsMax + 1; ++n) request.voters.push_back({0, n});
    EXPECT(FailsNaming(DecodePaxosRequest, EncodePaxosRequest(request), "17 voters"));

    PaxosReply reply = RichReply();
    reply.kind = PaxosReply::Kind(7);
    EXPECT(FailsNaming(DecodePaxosReply, EncodePaxosReply(reply), "unknown kind 7"));
    reply = RichReply();
    reply.from = {};
    EXPECT(FailsNaming(DecodePaxosReply, EncodePaxosReply(reply), "from nobody"));
  }

  TEST_CASE("a stored vote that contradicts itself is corruption") {
    AcceptorState state = RichState();
    SUBCASE("accepted above promised") { state.accepted.round = 9; }
    SUBCASE("no voters") { state.voters.clear(); }
    SUBCASE("a value without a ballot") { state.accepted = {}; }
    SUBCASE("a promise without an epoch") { state.epoch = 0; }
    const auto decoded = DecodeAcceptorState(EncodeAcceptorState(state));
    REQUIRE(!decoded.has_value());
    EXPECT(decoded.error().code() == base::Code::kCorruption);
  }

  TEST_CASE("a node that lacks something is refused, and so is a hello with it") {
    NodeInfo node = NodeOf(3);
    std::string why;
    SUBCASE("host") { node.host = {}, why = "without a host id"; }
    SUBCASE("address") { node.client = {}, why = "lacks an address"; }
    SUBCASE("rack") { node.rack = "", why = "not a rack name"; }
    SUBCASE("vnodes") { node.vnodes = 0, why = "0 vnodes"; }
    SUBCASE("too many vnodes") { node.vnodes = 257, why = "257 vnodes"; }
    EXPECT(FailsNaming(DecodeNodeInfo, EncodeNodeInfo(node), why));
    SeedHello hello = RichHello();
    hello.node = node;
    EXPECT(FailsNaming(DecodeSeedHello, EncodeSeedHello(hello), why));
  }

  TEST_CASE("a hello with unsorted or too many seeds is refused") {
    SeedHello hello = RichHello();
    std::swap(hello.seeds[0], hello.seeds[1]);
    EXPECT(FailsNaming(DecodeSeedHello, EncodeSeedHello(hello), "not sorted"));
    hello.seeds.clear();
    for (std::uint32_t n = 1; n <= kSeedsMax + 1; ++n) hello.seeds.push_back(AddressOf(n));
    EXPECT(FailsNaming(DecodeSeedHello, EncodeSeedHello(hello), "17 seeds"));
  }

  TEST_CASE("cut or flipped bytes give an error, or a topology that is valid") {
    const std::string good = EncodeTopology(Rich());
    EXPECT(rc::check("cut", [&] {
      const auto size = *rc::gen::inRange<std::size_t>(0, good.size());
      const auto decoded = DecodeTopology(base::Bytes(good).substr(0, size));
      RC_ASSERT((!decoded.has_value() || Validate(*decoded).ok()));  // Its own || is eager.
    }));
    EXPECT(rc::check("flipped", [&] {
      std::string bytes = good;
      const auto flips = *rc::gen::inRange(1, 6);
      for (int i = 0; i < flips; ++i)
        bytes[*rc::gen::inRange<std::size_t>(0, bytes.size())] = *rc::gen::arbitrary<char>();
      const auto decoded = DecodeTopology(bytes);
      RC_ASSERT((!decoded.has_value() || Validate(*decoded).ok()));  // Its own || is eager.
      if (decoded.has_value()) RC_ASSERT(DecodeTopology(EncodeTopology(*decoded)) == *decoded);
      DecodePaxosRequest(bytes).has_value();
      DecodePaxosReply(bytes).has_value();
      DecodeSeedHello(bytes).has_value();
      DecodeAcceptorState(bytes).has_value();
    }));
  }
}

}  // namespace
}  // namespace starling::topology
