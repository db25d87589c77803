// server/wire/limits.h: how large the parts of a message may be; decoders refuse what is larger.
//
// Read next: server/wire/frame.h, which limits the whole.
#pragma once

#include <cstddef>
#include <cstdint>

namespace starling::wire {

inline constexpr std::size_t kKeyBytesMax = 32 * 1024;  // And at least 1.
inline constexpr std::size_t kValueBytesMax =
    16 * 1024 * 1024;                              // Of a value; payloads may have more.
inline constexpr std::size_t kNameBytesMax = 256;  // Clusters, keyspaces, dc, rack.
inline constexpr std::size_t kReplicationBytesMax = 1024;
inline constexpr std::size_t kCommandBytesMax = 64;
inline constexpr std::size_t kErrorBytesMax = 4096;                // Encoders cut a longer message.
inline constexpr std::size_t kReplicasMax = 32;                    // Of one key.
inline constexpr std::size_t kCursorBytesMax = kKeyBytesMax + 16;  // A stored key: token and key.
inline constexpr std::size_t kPurgedBytesMax = 40 * 1024;  // Marks of a page's buckets, in runs.

// What an entry may say of itself; an engine stores nothing else.
inline constexpr std::uint8_t kEntryFlagsKnown = 3;  // As in storage/entry.h.
inline constexpr std::uint8_t kEntryOriginMax = 5;   // Likewise; from 1.
// Of a version: into the year 6429, so that a re-stamp always has room above it.
inline constexpr std::uint64_t kTimestampMax = UINT64_MAX >> 1;
inline constexpr std::uint64_t kExpiryMsMax = std::uint64_t{1} << 48;
inline constexpr std::uint64_t kTtlMsMax = 20ULL * 365 * 24 * 3600 * 1000;  // 20 years.
// How far the stamp of a repeated put may lie ahead of the clock of the node that it comes to.
inline constexpr std::int64_t kStampAheadMsMax = 24LL * 3600 * 1000;

}  // namespace starling::wire
