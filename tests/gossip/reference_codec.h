// tests/gossip/reference_codec.h: gossip.proto as Protobuf itself reads and writes it.
//
// Thread: free functions.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"

namespace starling::gossip {

// The packet read by the generated classes, and what they know of it written again. nullopt if they
// refuse it.
std::optional<std::string> Reserialized(base::Bytes bytes);

}  // namespace starling::gossip
