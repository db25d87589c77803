// Goal:   no bytes crash who reads topologies and what nodes say of them, and any topology that is
//         let through can be worked with: its ring is built, changed, voted on.
// Method: the first byte says what the rest is.
#include "server/topology/topology.h"

#include <array>
#include <memory>
#include <string>

#include "gossip/envelope.h"
#include "server/join_request.h"
#include "server/topology/changes.h"
#include "server/topology/codec.h"
#include "server/topology/ring.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/round_trip.h"

namespace starling::topology {
namespace {

using fuzz::Exact;
using fuzz::Input;
using fuzz::RoundTrip;

// So large that none of what an input can say is over it.
constexpr std::size_t kNodesTried = 64;

void CheckRing(const Topology& topology) {
  const auto ring = Ring::Build(topology);
  for (const Keyspace& keyspace : topology.keyspaces) {
    std::uint32_t next = 0;
    for (const Range& range : ring->ranges(keyspace.id)) {
      CHECK(range.first_bucket == next);
      CHECK(range.last_bucket >= range.first_bucket);
      next = range.last_bucket + 1U;
    }
    CHECK(next == 0 || next == base::kBuckets);
    for (const std::uint16_t bucket : std::initializer_list<std::uint16_t>{0, 1, 0x7fff, 0xffff}) {
      for (const std::uint16_t replica : ring->Replicas(keyspace.id, bucket)) {
        CHECK(replica < topology.nodes.size());
        CHECK(topology.nodes[replica].state != NodeState::kReplaced);
      }
      CHECK(ring->RunEnd(keyspace.id, bucket) > bucket);
    }
  }
}

// A change is refused, or gives what may follow and can be said.
void CheckChange(const Topology& before, const base::Result<Topology>& after) {
  if (!after || after->epoch == before.epoch) return;
  CHECK(Validate(*after).ok());
  CHECK(CheckSuccessor(before, *after).ok());
  const auto again = DecodeTopology(EncodeTopology(*after));
  CHECK(again.has_value());
  CHECK(*again == *after);
}

void TryTopology(Input& in) {
  const base::Bytes said = in.Piece();
  if (!RoundTrip(said, DecodeTopology, EncodeTopology)) return;
  const Topology topology = *DecodeTopology(said);
  if (topology.nodes.size() > kNodesTried) return;
  CheckRing(topology);
  if (const auto info = DecodeNodeInfo(in.Piece())) {
    CheckChange(topology, AdmitNode(topology, *info));
    CheckChange(topology, MoveNode(topology, *info));
    for (const Node& node : topology.nodes)
      CheckChange(topology, ReplaceNode(topology, {.host = node.host}, *info));
  }
  for (const Node& node : topology.nodes) {
    CheckChange(topology, DeclareAbsent(topology, node.host));
    CheckChange(topology, ReturnNode(topology, node.host, 7));
    CheckChange(topology, SeatVoter(topology, {node.host}));
  }
  if (const auto replication = Replication::Parse(in.ShortPiece()))
    CheckChange(topology, AddKeyspace(topology, in.Rest(), *replication));
}

// One with this state is asked, or has its state from what was asked.
void TryVote(Input& in) {
  constexpr base::HostId kSelf{0, 1};
  const base::Bytes known = in.Piece(), state = in.Piece();
  RoundTrip(state, DecodeAcceptorState, EncodeAcceptorState);
  TopologyPtr topology;
  if (auto decoded = DecodeTopology(known))
    topology = std::make_shared<const Topology>(*std::move(decoded));
  auto acceptor = Acceptor::Restore(kSelf, topology, state);
  if (!acceptor) acceptor = Acceptor(kSelf, topology);
  for (int left = 8; left > 0 && !in.empty(); --left) {
    const base::Bytes bytes = in.Piece();
    RoundTrip(bytes, DecodePaxosRequest, EncodePaxosRequest);
    const auto request = DecodePaxosRequest(bytes);
    if (!request) continue;
    const Vote vote = acceptor->OnRequest(*request);
    CHECK(RoundTrip(EncodePaxosReply(vote.reply), DecodePaxosReply, EncodePaxosReply));
    CHECK(Acceptor::Restore(kSelf, acceptor->known(), acceptor->EncodeState()).has_value());
  }
}

void TryMessages(Input& in) {
  switch (in.Byte() % 4) {
    case 0: RoundTrip(in.Rest(), DecodePaxosReply, EncodePaxosReply); return;
    case 1: RoundTrip(in.Rest(), DecodeNodeInfo, EncodeNodeInfo); return;
    case 2: RoundTrip(in.Rest(), DecodeSeedHello, EncodeSeedHello); return;
    case 3: break;
  }
  gossip::Envelope envelope("test", {}, {{0, 1}, 1, 7});
  std::string asked;
  envelope.Begin(std::nullopt, asked);
  asked += in.Rest();
  RoundTrip(
      asked, [&](base::Bytes bytes) { return server::DecodeJoin(bytes, envelope); },
      [&](const server::JoinRequest& request) { return server::EncodeJoin(request, envelope); });
}

}  // namespace
}  // namespace starling::topology

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling::topology;
  constexpr std::array kTries = {TryTopology, TryVote, TryMessages};
  Input in(data, size);
  kTries[in.Byte() % kTries.size()](in);
  return 0;
}
