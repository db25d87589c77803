// server/join_request.h: what a node says that asks to be admitted.
//
// In gossip's envelope: sealed by whoever has a key. So a cluster that requires seals admits nobody
// without one of its keys, who could never be a member in good standing: nothing that it says in
// gossip would be opened, and yet it would own ranges.
//
// Read next: server/control_join.cc, gossip/envelope.h
#pragma once

#include <cstdint>
#include <string>

#include "base/address.h"
#include "base/bytes.h"
#include "base/status.h"
#include "gossip/envelope.h"
#include "server/topology/changes.h"

namespace starling::server {

struct JoinRequest {
  topology::Replaced replaced{};
  std::uint64_t back = 0;  // The boot as which a member that lost data comes back; 0: it is none.
  topology::NodeInfo node{};
};

std::string EncodeJoin(const JoinRequest& request, gossip::Envelope& envelope);

// FailedPrecondition, in words for the operator of the node that asks, if it is not sealed as this
// envelope requires; InvalidArgument when malformed.
base::Result<JoinRequest> DecodeJoin(base::Bytes bytes, gossip::Envelope& envelope);

}  // namespace starling::server
