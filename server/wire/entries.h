// server/wire/entries.h: many entries in one payload: pages of scans, and what repair sends.
//
// Each: key length u32 | value length u32 | version 16 bytes | flags u8 | origin u8 | zero u16 |
//       zero u32 | expiry_ms u64 | value digest u64 | key | value        (little-endian, 48 + n
//       bytes)
//
// Thread: free functions.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/status.h"
#include "base/version.h"

namespace starling::wire {

struct PackedEntry {
  base::Bytes key;
  base::Version version;
  std::uint8_t flags = 0;   // As in storage/entry.h.
  std::uint8_t origin = 1;  // Likewise.
  std::uint64_t expiry_ms = 0;
  std::uint64_t value_digest = 0;
  base::Bytes value;
};

// Whether it can travel: key and value within the limits, and a version, flags, origin and expiry
// that a node can have stored. InvalidArgument names what is wrong.
base::Status CheckEntry(const PackedEntry& entry);

inline constexpr std::size_t kPackedHeadBytes = 48;
inline std::size_t PackedBytes(const PackedEntry& entry) {
  return kPackedHeadBytes + entry.key.size() + entry.value.size();
}
void PackEntryTo(const PackedEntry& entry,
                 std::string& out);  // Appends. REQUIRES: sizes as CheckEntry.

// Takes the first entry off `payload`; its views point into it. InvalidArgument when it is cut
// short or CheckEntry refuses it. REQUIRES: payload is not empty.
base::Result<PackedEntry> UnpackEntry(base::Bytes& payload);

}  // namespace starling::wire
