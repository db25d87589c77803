// gossip/codec.h: messages to bytes and back. The only way in: what it lets through is valid.
//
// Thread:    free functions.
// Read next: gossip/wire_format.h; gossip/envelope.h, which is around it
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/status.h"
#include "gossip/message.h"
#include "gossip/options.h"

namespace starling::gossip {

// Appends the message to a packet that an Envelope began.
void Encode(const Message& message, std::string& packet);
// As if the message that was just appended had had this claim, too.
void AppendClaim(const Claim& claim, std::string& packet);

// As many as the largest table has, and as rumors may be: a message with more is refused before
// there is room for them. Not fewer than by default, since others may have larger limits than this.
std::size_t ClaimsMax(const GossipOptions& options);
std::size_t RumorsMax(const GossipOptions& options);

// Reads a message that an Envelope opened. Replaces what is in `message`, and uses its room. What
// it has of bytes points into `bytes`. Fails with InvalidArgument, naming the field, on anything
// that no sound node with these limits sends; `message` is then of no use. Of a field that comes
// twice the last counts.
base::Status Decode(base::Bytes bytes, const GossipOptions& options, Message& message);

}  // namespace starling::gossip
