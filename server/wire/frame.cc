#include "server/wire/frame.h"

#include <fmt/core.h>

#include "base/check.h"
#include "base/hash.h"

namespace starling::wire {

using base::LoadLittle;
using base::Result;
using base::StoreLittle;

namespace {

// Where each field of the 32 bytes lies.
constexpr std::size_t kMagicAt = 0, kKindAt = 2, kFlagsAt = 4, kRequestIdAt = 8;
constexpr std::size_t kHeaderLengthAt = 16, kPayloadLengthAt = 20, kChecksumAt = 24;

// The header's hash is seeded with that of the 24 bytes: they lie apart, and one pass over a copy
// of both would cost more.
std::uint64_t ChecksumOf(const char* head, base::Bytes header) {
  return base::Hash64(header, base::Hash64({head, kChecksumAt}));
}

base::Status CheckMagic(const char* head) {
  const auto magic = LoadLittle<std::uint16_t>(head + kMagicAt);
  if (magic == kMagic) return base::Ok();
  return base::InvalidArgument(fmt::format(
      "no frame of the native protocol begins with {:#06x}: {:#06x} does", magic, kMagic));
}

base::Status CheckHead(const char* head) {
  RETURN_IF_ERROR(CheckMagic(head));
  const auto flags = LoadLittle<std::uint32_t>(head + kFlagsAt);
  if (flags != 0)
    return base::InvalidArgument(fmt::format("frame has unknown flags {:#010x}", flags));
  const auto header_size = LoadLittle<std::uint32_t>(head + kHeaderLengthAt);
  if (header_size > kHeaderBytesMax)
    return base::InvalidArgument(
        fmt::format("frame announces a header of {} bytes, at most {} are "
                    "taken",
                    header_size, kHeaderBytesMax));
  const auto payload_size = LoadLittle<std::uint32_t>(head + kPayloadLengthAt);
  if (payload_size > kPayloadBytesMax)
    return base::InvalidArgument(
        fmt::format("frame announces a payload of {} bytes, at most {} "
                    "are taken",
                    payload_size, kPayloadBytesMax));
  return base::Ok();
}

}  // namespace

Result<std::size_t> CutFrame(base::Bytes in, Frame* frame) {
  const char* head = in.data();
  if (in.size() >= kMagicAt + sizeof kMagic) RETURN_IF_ERROR(CheckMagic(head));
  if (in.size() < kFrameBytes) return 0;
  RETURN_IF_ERROR(CheckHead(head));
  const auto header_size = LoadLittle<std::uint32_t>(head + kHeaderLengthAt);
  const auto payload_size = LoadLittle<std::uint32_t>(head + kPayloadLengthAt);
  const std::size_t size = kFrameBytes + header_size + payload_size;
  // The checksum needs the header alone, and waiting for the payload of a damaged frame is waste.
  if (in.size() < kFrameBytes + header_size) return 0;
  const base::Bytes header = in.substr(kFrameBytes, header_size);
  if (LoadLittle<std::uint64_t>(head + kChecksumAt) != ChecksumOf(head, header))
    return base::Fail(base::InvalidArgument(fmt::format(
        "frame of kind {} has a wrong checksum", LoadLittle<std::uint16_t>(head + kKindAt))));
  if (in.size() < size) return 0;
  frame->kind = static_cast<Kind>(LoadLittle<std::uint16_t>(head + kKindAt));
  frame->request_id = LoadLittle<std::uint64_t>(head + kRequestIdAt);
  frame->header = header;
  frame->payload = in.substr(kFrameBytes + header_size, payload_size);
  return size;
}

ErrorReply TooLarge(std::size_t payload_size) {
  return {base::Code::kFailedPrecondition,
          fmt::format("the answer takes {} bytes, a frame carries at most {}", payload_size,
                      kPayloadBytesMax),
          {}};
}

void StoreFrameHead(char* at, Kind kind, std::uint64_t request_id, base::Bytes header,
                    std::size_t payload_size) {
  CHECK(header.size() <= kHeaderBytesMax);
  CHECK(payload_size <= kPayloadBytesMax);
  StoreLittle(at + kMagicAt, kMagic);
  StoreLittle(at + kKindAt, static_cast<std::uint16_t>(kind));
  StoreLittle(at + kFlagsAt, std::uint32_t{0});
  StoreLittle(at + kRequestIdAt, request_id);
  StoreLittle(at + kHeaderLengthAt, static_cast<std::uint32_t>(header.size()));
  StoreLittle(at + kPayloadLengthAt, static_cast<std::uint32_t>(payload_size));
  StoreLittle(at + kChecksumAt, ChecksumOf(at, header));
}

}  // namespace starling::wire
