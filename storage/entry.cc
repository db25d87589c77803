#include "storage/entry.h"

#include <cstring>

#include <fmt/core.h>

#include <limits>

#include "base/check.h"
#include "base/hash.h"

namespace starling::storage {
namespace {

constexpr std::size_t kFlagsAt = 1;
constexpr std::size_t kOriginAt = 2;
constexpr std::size_t kReservedAt = 3;
constexpr std::size_t kReservedBytes = 5;
constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kExpiryAt = 24;
constexpr std::size_t kDigestAt = 32;
constexpr std::size_t kReservedTailAt = 40;
static_assert(kReservedAt + kReservedBytes == kVersionAt);
static_assert(kVersionAt + base::Version::kSize == kExpiryAt);
static_assert(kReservedTailAt + sizeof(std::uint64_t) == kEntryHeaderBytes);

constexpr std::uint8_t kKnownFlags = kFlagTombstone | kFlagHasExpiry;

bool KnownOrigin(std::uint8_t origin) {
  return origin >= static_cast<std::uint8_t>(Origin::kDirect) &&
         origin <= static_cast<std::uint8_t>(Origin::kRestore);
}

std::uint8_t ByteAt(base::Bytes bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}

// What no entry of ours has, whatever its version and value.
base::Status CheckForm(base::Bytes bytes) {
  if (bytes.size() < kEntryHeaderBytes)
    return base::Corruption(fmt::format("an entry of {} bytes is shorter than its header of {}",
                                        bytes.size(), kEntryHeaderBytes));
  if (const auto format = ByteAt(bytes, 0); format != kEntryFormat)
    return base::Corruption(
        fmt::format("an entry has format {}; this program reads {}", format, kEntryFormat));
  if (const auto flags = ByteAt(bytes, kFlagsAt); (flags & ~kKnownFlags) != 0)
    return base::Corruption(fmt::format("an entry has unknown flags {:#04x}", flags));
  if (const auto origin = ByteAt(bytes, kOriginAt); !KnownOrigin(origin))
    return base::Corruption(fmt::format("an entry has unknown origin {}", origin));
  if (bytes.substr(kReservedAt, kReservedBytes).find_first_not_of('\0') != base::Bytes::npos ||
      base::LoadLittle<std::uint64_t>(bytes.data() + kReservedTailAt) != 0)
    return base::Corruption("an entry's reserved bytes are not zero");
  return base::Ok();
}

}  // namespace

std::uint64_t ValueDigest(base::Bytes value) { return base::Hash64(value); }

void EncodeEntryTo(const EntryHeader& header, base::Bytes value, std::string& out) {
  CHECK((header.flags & ~kKnownFlags) == 0);
  CHECK(KnownOrigin(static_cast<std::uint8_t>(header.origin)));
  char bytes[kEntryHeaderBytes] = {};
  bytes[0] = static_cast<char>(kEntryFormat);
  bytes[kFlagsAt] = static_cast<char>(header.flags);
  bytes[kOriginAt] = static_cast<char>(header.origin);
  header.version.StoreTo(bytes + kVersionAt);
  base::StoreLittle(bytes + kExpiryAt, header.expiry_ms);
  base::StoreLittle(bytes + kDigestAt, header.value_digest);
  out.append(bytes, sizeof bytes);
  out.append(value);
}

base::Result<Entry> DecodeEntry(base::Bytes bytes) {
  RETURN_IF_ERROR(CheckForm(bytes));
  Entry entry;
  entry.header.flags = ByteAt(bytes, kFlagsAt);
  entry.header.origin = static_cast<Origin>(ByteAt(bytes, kOriginAt));
  entry.header.version = base::Version::LoadFrom(bytes.data() + kVersionAt);
  entry.header.expiry_ms = base::LoadLittle<std::uint64_t>(bytes.data() + kExpiryAt);
  entry.header.value_digest = base::LoadLittle<std::uint64_t>(bytes.data() + kDigestAt);
  entry.value = bytes.substr(kEntryHeaderBytes);
  return entry;
}

base::Status VerifyValue(const Entry& entry) {
  const std::uint64_t digest = ValueDigest(entry.value);
  if (digest == entry.header.value_digest) return base::Ok();
  return base::Corruption(fmt::format(
      "a value of {} bytes, version {}, has digest {:016x}, not {:016x}", entry.value.size(),
      entry.header.version.ToString(), digest, entry.header.value_digest));
}

base::Result<Entry> DecodeSoundEntry(base::Bytes bytes) {
  ASSIGN_OR_RETURN(const Entry entry, DecodeEntry(bytes));
  if (!entry.header.tombstone()) RETURN_IF_ERROR(VerifyValue(entry));
  return entry;
}

void StoreDataKey(const DataKey& key, char* at) {
  base::StoreBig(at, key.keyspace);
  base::StoreBig(at + 4, key.token);
  if (!key.key.empty()) std::memcpy(at + kKeyPrefixBytes, key.key.data(), key.key.size());
}

void EncodeDataKeyTo(const DataKey& key, std::string& out) {
  const std::size_t start = out.size();
  out.resize(start + kKeyPrefixBytes + key.key.size());
  StoreDataKey(key, out.data() + start);
}

base::Result<DataKey> DecodeDataKey(base::Bytes bytes) {
  if (bytes.size() < kKeyPrefixBytes)
    return base::Fail(
        base::Corruption(fmt::format("a stored key of {} bytes is shorter than its prefix of {}",
                                     bytes.size(), kKeyPrefixBytes)));
  return DataKey{base::LoadBig<base::KeyspaceId>(bytes.data()),
                 base::LoadBig<base::Token>(bytes.data() + sizeof(base::KeyspaceId)),
                 bytes.substr(kKeyPrefixBytes)};
}

std::string BucketBegin(base::KeyspaceId keyspace, std::uint16_t bucket) {
  std::string begin;
  EncodeDataKeyTo({keyspace, base::FirstToken(bucket), {}}, begin);
  return begin;
}

std::string BucketEnd(base::KeyspaceId keyspace, std::uint16_t bucket) {
  if (bucket != base::kBuckets - 1)
    return BucketBegin(keyspace, static_cast<std::uint16_t>(bucket + 1));
  if (keyspace == std::numeric_limits<base::KeyspaceId>::max()) return {};
  return BucketBegin(keyspace + 1, 0);
}

}  // namespace starling::storage
