// server/wire/codec_parts.h: what the codecs of both ports share: reused messages, common fields.
//
// Included by *_codec.cc only, which know the generated types; this header knows them as template
// parameters, so that it drags in none.
//
// Thread:    each has its own reused messages.
// Ownership: Reused messages live as long as their thread.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/host_id.h"
#include "base/status.h"
#include "base/version.h"
#include "server/wire/limits.h"

namespace starling::wire::parts {

// One message a thread and use: clearing and refilling it keeps its memory. Decoded views point
// into the one for decoding, so encoding must not touch that.
enum class Use { kEncode, kDecode };

template <typename Proto, Use kUse>
Proto& Reused() {
  thread_local Proto message;
  return message;
}

template <typename Proto>
Proto& ToFill() {
  Proto& message = Reused<Proto, Use::kEncode>();
  message.Clear();
  return message;
}

template <typename Proto>
void AppendTo(const Proto& message, std::string& out) {
  const std::size_t size = message.ByteSizeLong();
  const std::size_t start = out.size();
  out.resize(start + size);
  message.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(out.data() + start));
}

// nullptr: the bytes are no such message.
template <typename Proto>
const Proto* Parse(base::Bytes header) {
  Proto& message = Reused<Proto, Use::kDecode>();
  const bool good = message.ParseFromArray(header.data(), static_cast<int>(header.size()));
  return good ? &message : nullptr;
}

// "PutRequest: key of 40000 bytes, at most 32768": what every refusal of a decoder looks like.
inline tl::unexpected<base::Status> Refuse(std::string_view message, std::string_view why) {
  return base::Fail(base::InvalidArgument(fmt::format("{}: {}", message, why)));
}
inline tl::unexpected<base::Status> RefuseBytes(std::string_view message) {
  return Refuse(message, "the header is no Protobuf message of this kind");
}

template <typename Proto>
void Store(const base::Version& version, Proto* out) {
  out->set_timestamp(version.timestamp);
  out->set_node(version.node);
  out->set_nonce(version.nonce);
}
template <typename Proto>
base::Version VersionOf(const Proto& in) {
  return {in.timestamp(), in.node(), in.nonce()};
}

template <typename Proto>
void StoreHost(const base::HostId& host, Proto* out) {
  out->set_high(host.high);
  out->set_low(host.low);
}
template <typename Proto>
base::HostId HostOf(const Proto& in) {
  return {in.high(), in.low()};
}

// Field checks: the Status names the message and the field.
inline base::Status CheckSize(std::string_view message, std::string_view field, std::size_t size,
                              std::size_t size_max) {
  if (size <= size_max) return base::Ok();
  return base::InvalidArgument(
      fmt::format("{}: {} of {} bytes, at most {} are taken", message, field, size, size_max));
}
inline base::Status CheckKey(std::string_view message, std::string_view key) {
  if (key.empty()) return base::InvalidArgument(fmt::format("{}: the key is empty", message));
  return CheckSize(message, "key", key.size(), kKeyBytesMax);
}
// `value` is one of the enum's, which run from 1 to `highest`: 0 is what an absent field reads as.
inline base::Status CheckEnum(std::string_view message, std::string_view field, int value,
                              int highest) {
  if (value >= 1 && value <= highest) return base::Ok();
  return base::InvalidArgument(fmt::format("{}: {} {} is unknown", message, field, value));
}
inline base::Status CheckAtMost(std::string_view message, std::string_view field,
                                std::uint64_t value, std::uint64_t highest) {
  if (value <= highest) return base::Ok();
  return base::InvalidArgument(
      fmt::format("{}: {} is {}, at most {} is possible", message, field, value, highest));
}

// `version` is there, and one that a node can have stamped.
inline base::Status CheckVersion(std::string_view message, std::string_view field,
                                 const base::Version& version) {
  if (version.empty())
    return base::InvalidArgument(fmt::format("{}: the {} is absent", message, field));
  if (version.node == 0)
    return base::InvalidArgument(fmt::format("{}: the {} names no node", message, field));
  return CheckAtMost(message, field, version.timestamp, kTimestampMax);
}
// As CheckVersion, but it need not be there.
inline base::Status CheckVersionIfAny(std::string_view message, std::string_view field,
                                      const base::Version& version) {
  return version == base::Version{} ? base::Ok() : CheckVersion(message, field, version);
}
// What an entry says of itself beside its version: only what an engine can store.
inline base::Status CheckEntryFields(std::string_view message, std::uint32_t flags,
                                     std::uint32_t origin, std::uint64_t expiry_ms) {
  if ((flags & ~std::uint32_t{kEntryFlagsKnown}) != 0)
    return base::InvalidArgument(fmt::format("{}: unknown flags {:#x}", message, flags));
  if (origin == 0 || origin > kEntryOriginMax)
    return base::InvalidArgument(fmt::format("{}: unknown origin {}", message, origin));
  return CheckAtMost(message, "expiry_ms", expiry_ms, kExpiryMsMax);
}

}  // namespace starling::wire::parts
