// server/topology/codec.h: topologies and the messages about them, to bytes and back.
//
// Encoding never fails, and the same value always gives the same bytes. Decoding is the only way in
// from a disk or a peer, and checks everything: what it returns satisfies Validate() and the limits
// of topology.h. It fails with InvalidArgument (Corruption for what was read from our own disk) and
// names what is wrong. A value inside a message stays encoded; whoever uses it decodes it.
//
// Thread:    pure functions.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/status.h"
#include "server/topology/changes.h"
#include "server/topology/founding.h"
#include "server/topology/paxos.h"
#include "server/topology/topology.h"

namespace starling::topology {

// Larger ones are neither made (changes.h) nor taken in: a rumor carries no more.
inline constexpr std::size_t kTopologyBytesMax = std::size_t{1} << 20;

std::string EncodeTopology(const Topology& topology);
base::Result<Topology> DecodeTopology(base::Bytes bytes);

std::string EncodePaxosRequest(const PaxosRequest& request);
base::Result<PaxosRequest> DecodePaxosRequest(base::Bytes bytes);
std::string EncodePaxosReply(const PaxosReply& reply);
base::Result<PaxosReply> DecodePaxosReply(base::Bytes bytes);
std::string EncodeAcceptorState(const AcceptorState& state);
base::Result<AcceptorState> DecodeAcceptorState(base::Bytes bytes);

// What a node says of itself when it asks to be admitted.
std::string EncodeNodeInfo(const NodeInfo& info);
base::Result<NodeInfo> DecodeNodeInfo(base::Bytes bytes);
std::string EncodeSeedHello(const SeedHello& hello);
base::Result<SeedHello> DecodeSeedHello(base::Bytes bytes);

}  // namespace starling::topology
