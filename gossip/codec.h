// gossip/codec.h: messages to bytes and back. The only way in: what it lets through is valid.
//
// Thread:    free functions.
// Read next: gossip/wire_format.h
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/status.h"
#include "gossip/message.h"
#include "gossip/options.h"

namespace starling::gossip {

// Tells clusters apart: the low 32 bits of the name's hash. No secret and no protection.
std::uint32_t ClusterTag(base::Bytes cluster_name);

// Replaces what is in `packet`, and uses its room.
void Encode(const Message& message, std::uint32_t cluster_tag, std::string& packet);

// The tag of a packet of our format, whatever follows; InvalidArgument if it is none.
base::Result<std::uint32_t> TagOf(base::Bytes packet);

// Replaces what is in `message`, and uses its room. What it has of bytes points into `packet`.
// Fails with InvalidArgument, naming the field, on anything that no sound node with these limits
// sends; `message` is then of no use. Of a field that comes twice the last counts.
// REQUIRES: TagOf(packet) succeeded.
base::Status Decode(base::Bytes packet, const GossipOptions& options, Message& message);

}  // namespace starling::gossip
