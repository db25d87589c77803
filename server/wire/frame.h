// server/wire/frame.h: the 32 bytes before every message, and how frames are cut from a stream.
//
// Little-endian: magic and version u16 | kind u16 | flags u32 (zero) | request id u64 |
//                header length u32 | payload length u32 | checksum u64
// then the Protobuf header, then the payload. The checksum is XXH3-64 over the first 24 bytes and
// the Protobuf header; the payload is covered by a digest inside that header, which is computed
// once, where the bytes came from.
//
// Thread:    free functions.
// Read next: server/wire/codec.h
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/status.h"
#include "base/world.h"
#include "server/wire/codec.h"
#include "server/wire/messages.h"

namespace starling::wire {

inline constexpr std::uint16_t kMagic = 0x5301;  // 'S', then the frame format's version.
inline constexpr std::size_t kFrameBytes = 32;
inline constexpr std::size_t kHeaderBytesMax = 64 * 1024;
inline constexpr std::size_t kPayloadBytesMax = 16 * 1024 * 1024 + 64 * 1024;

struct Frame {
  Kind kind{};
  std::uint64_t request_id = 0;
  base::Bytes header;
  base::Bytes payload;
};

// Cuts the first frame from `in`. Returns its size with *frame set; 0 when more bytes are needed;
// InvalidArgument when no valid frame can start so: a wrong magic (judged from the first two bytes,
// so that a program that speaks another protocol hears it at once), lengths over the limits (judged
// from the first 32 bytes, before the rest is waited for), a wrong checksum. After a failure the
// stream cannot be read further.
base::Result<std::size_t> CutFrame(base::Bytes in, Frame* frame);

// What stands in for an answer whose payload no frame carries.
ErrorReply TooLarge(std::size_t payload_size);

// Writes the 32 bytes to `at`: the header that follows and the sizes are what they speak of.
// REQUIRES: both within their limits. Of headers the messages see to that; payloads that grow with
// something are for the sender to bound.
void StoreFrameHead(char* at, Kind kind, std::uint64_t request_id, base::Bytes header,
                    std::size_t payload_size);

// Appends a whole frame to `out`.
template <typename Message>
void AppendFrame(std::string& out, std::uint64_t request_id, const Message& message,
                 base::Bytes payload = {}) {
  const std::size_t start = out.size();
  out.resize(start + kFrameBytes);
  EncodeTo(message, out);
  StoreFrameHead(out.data() + start, Message::kKind, request_id,
                 base::Bytes(out).substr(start + kFrameBytes), payload.size());
  out.append(payload);
}

// Sends a frame on a connection, encoded into its out-buffer.
template <typename Message>
void SendFrame(base::World& world, base::ConnId conn, std::uint64_t request_id,
               const Message& message, base::Bytes payload = {}) {
  thread_local std::string header;
  header.clear();
  EncodeTo(message, header);
  const std::size_t size = kFrameBytes + header.size() + payload.size();
  const auto room = world.Reserve(conn, size);
  StoreFrameHead(room.data(), Message::kKind, request_id, header, payload.size());
  std::memcpy(room.data() + kFrameBytes, header.data(), header.size());
  if (!payload.empty())
    std::memcpy(room.data() + kFrameBytes + header.size(), payload.data(), payload.size());
  world.Commit(conn, size);
}

}  // namespace starling::wire
