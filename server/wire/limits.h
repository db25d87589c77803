// server/wire/limits.h: how large the parts of a message may be; decoders refuse what is larger.
//
// Read next: server/wire/frame.h, which limits the whole.
#pragma once

#include <cstddef>

namespace starling::wire {

inline constexpr std::size_t kKeyBytesMax = 32 * 1024;  // And at least 1.
inline constexpr std::size_t kValueBytesMax =
    16 * 1024 * 1024;                              // Of a value; payloads may have more.
inline constexpr std::size_t kNameBytesMax = 256;  // Clusters, keyspaces, dc, rack.
inline constexpr std::size_t kReplicationBytesMax = 1024;
inline constexpr std::size_t kCommandBytesMax = 64;
inline constexpr std::size_t kErrorBytesMax = 4096;                // Encoders cut a longer message.
inline constexpr std::size_t kReplicasMax = 256;                   // Of one key.
inline constexpr std::size_t kCursorBytesMax = kKeyBytesMax + 16;  // A stored key: token and key.

}  // namespace starling::wire
