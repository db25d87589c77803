// storage/entry.h: the bytes of one versioned entry, and of the key it is stored under.
//
// Key:   keyspace u32 | token u64 (both big-endian, so that a range of buckets is one scan) | key
// Value: 48-byte header, little-endian, then the value's bytes:
//          0 format u8 (1) | 1 flags u8 | 2 origin u8 | 3 zero, 5 bytes | 8 version, 16 bytes
//         24 expiry_ms u64 | 32 value digest u64 (XXH3-64, seed 0) | 40 zero u64
//
// Thread:    free functions and values.
// Read next: storage/engine.h.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/place.h"
#include "base/status.h"
#include "base/version.h"

namespace starling::storage {

// How an entry came to this replica: for `nodetool why`, never part of a digest.
enum class Origin : std::uint8_t { kDirect = 1, kRumor = 2, kHint = 3, kRepair = 4, kRestore = 5 };

inline constexpr std::size_t kKeyBytesMax = 32 * 1024;
inline constexpr std::size_t kValueBytesMax = 16 * 1024 * 1024;
inline constexpr std::size_t kKeyPrefixBytes = 12;
inline constexpr std::size_t kEntryHeaderBytes = 48;
inline constexpr std::uint8_t kEntryFormat = 1;
inline constexpr std::uint8_t kFlagTombstone = 1;
inline constexpr std::uint8_t kFlagHasExpiry = 2;

// What is known of an entry without its value.
struct EntryHeader {
  base::Version version{};
  std::uint64_t expiry_ms = 0;  // Wall time; 0 means never. Counts only with kFlagHasExpiry.
  std::uint64_t value_digest = 0;
  Origin origin = Origin::kDirect;
  std::uint8_t flags = 0;

  bool tombstone() const { return (flags & kFlagTombstone) != 0; }
  // Whether a reader at wall time `now_ms` sees a value.
  bool live(std::int64_t now_ms) const {
    return !tombstone() &&
           !((flags & kFlagHasExpiry) != 0 && expiry_ms <= static_cast<std::uint64_t>(now_ms));
  }
};

struct Entry {
  EntryHeader header;
  base::Bytes value;  // A view into whatever was decoded.
};

// The digest by which clients and replicas check a value.
std::uint64_t ValueDigest(base::Bytes value);

void EncodeEntryTo(const EntryHeader& header, base::Bytes value, std::string& out);  // Appends.
// Fails with Corruption when the bytes are no entry: too short, an unknown format, flag or origin.
// Does not compare the value with its digest: VerifyValue does, where the value is used.
base::Result<Entry> DecodeEntry(base::Bytes bytes);
// Fails with Corruption when the value is not the one its digest was made of.
base::Status VerifyValue(const Entry& entry);
// Both; of a tombstone, which has no value, the first. For whoever looks for damage.
base::Result<Entry> DecodeSoundEntry(base::Bytes bytes);

struct DataKey {
  base::KeyspaceId keyspace = 0;
  base::Token token = 0;
  base::Bytes key;
};

void EncodeDataKeyTo(const DataKey& key, std::string& out);  // Appends.
void StoreDataKey(const DataKey& key, char* at);             // kKeyPrefixBytes + key.size() bytes.
base::Result<DataKey> DecodeDataKey(base::Bytes bytes);      // Corruption when under 12 bytes.

// The first key a scan of [bucket, ...) of a keyspace may meet, and the first one beyond it.
std::string BucketBegin(base::KeyspaceId keyspace, std::uint16_t bucket);
std::string BucketEnd(base::KeyspaceId keyspace, std::uint16_t bucket);

}  // namespace starling::storage
