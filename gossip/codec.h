// gossip/codec.h: messages to bytes and back. The only way in: what it lets through is valid.
//
// Thread: free functions.
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

std::string Encode(const Message& message, std::uint32_t cluster_tag);

// The tag of a packet of our format, whatever follows; InvalidArgument if it is none.
base::Result<std::uint32_t> TagOf(base::Bytes packet);

// Fails with InvalidArgument, naming the field, on anything that no sound node with these limits
// sends. REQUIRES: TagOf(packet) succeeded.
base::Result<Message> Decode(base::Bytes packet, const GossipOptions& options);

}  // namespace starling::gossip
