#include "server/wire/entries.h"

#include <fmt/core.h>

#include "base/check.h"
#include "server/wire/codec_parts.h"
#include "server/wire/limits.h"

namespace starling::wire {

using base::LoadLittle;
using base::StoreLittle;

namespace {

constexpr std::size_t kHeadBytes = kPackedHeadBytes;
constexpr std::size_t kValueLengthAt = 4, kVersionAt = 8, kEntryFlagsAt = 24, kOriginAt = 25;
constexpr std::size_t kExpiryAt = 32, kDigestAt = 40;

}  // namespace

base::Status CheckEntry(const PackedEntry& entry) {
  constexpr std::string_view kName = "packed entry";
  RETURN_IF_ERROR(parts::CheckKey(kName, entry.key));
  RETURN_IF_ERROR(parts::CheckSize(kName, "value", entry.value.size(), kValueBytesMax));
  RETURN_IF_ERROR(parts::CheckVersion(kName, "version", entry.version));
  return parts::CheckEntryFields(kName, entry.flags, entry.origin, entry.expiry_ms);
}

void PackEntryTo(const PackedEntry& entry, std::string& out) {
  CHECK(entry.key.size() <= kKeyBytesMax);
  CHECK(entry.value.size() <= kValueBytesMax);
  char head[kHeadBytes] = {};
  StoreLittle(head, static_cast<std::uint32_t>(entry.key.size()));
  StoreLittle(head + kValueLengthAt, static_cast<std::uint32_t>(entry.value.size()));
  entry.version.StoreTo(head + kVersionAt);
  StoreLittle(head + kEntryFlagsAt, entry.flags);
  StoreLittle(head + kOriginAt, entry.origin);
  StoreLittle(head + kExpiryAt, entry.expiry_ms);
  StoreLittle(head + kDigestAt, entry.value_digest);
  out.append(head, kHeadBytes);
  out.append(entry.key);
  out.append(entry.value);
}

base::Result<PackedEntry> UnpackEntry(base::Bytes& payload) {
  CHECK(!payload.empty());
  if (payload.size() < kHeadBytes)
    return base::Fail(base::InvalidArgument(fmt::format(
        "packed entry is cut short: {} bytes where its head has {}", payload.size(), kHeadBytes)));
  const char* head = payload.data();
  const std::size_t key_size = LoadLittle<std::uint32_t>(head);
  const std::size_t value_size = LoadLittle<std::uint32_t>(head + kValueLengthAt);
  if (key_size == 0 || key_size > kKeyBytesMax || value_size > kValueBytesMax)
    return base::Fail(base::InvalidArgument(fmt::format(
        "packed entry announces a key of {} bytes (1 to {}) and a value of {} (at most {})",
        key_size, kKeyBytesMax, value_size, kValueBytesMax)));
  if (payload.size() < kHeadBytes + key_size + value_size)
    return base::Fail(
        base::InvalidArgument(fmt::format("packed entry is cut short: {} bytes of {} are there",
                                          payload.size(), kHeadBytes + key_size + value_size)));
  const PackedEntry entry{.key = payload.substr(kHeadBytes, key_size),
                          .version = base::Version::LoadFrom(head + kVersionAt),
                          .flags = LoadLittle<std::uint8_t>(head + kEntryFlagsAt),
                          .origin = LoadLittle<std::uint8_t>(head + kOriginAt),
                          .expiry_ms = LoadLittle<std::uint64_t>(head + kExpiryAt),
                          .value_digest = LoadLittle<std::uint64_t>(head + kDigestAt),
                          .value = payload.substr(kHeadBytes + key_size, value_size)};
  RETURN_IF_ERROR(CheckEntry(entry));
  payload.remove_prefix(kHeadBytes + key_size + value_size);
  return entry;
}

}  // namespace starling::wire
