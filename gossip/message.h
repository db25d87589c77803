// gossip/message.h: what nodes say to each other, as plain structs.
//
// One Message is a datagram, a request on a stream, or its answer.
// A datagram gives at most one in reply:
//   Ping, Farewell -> Ack; PingRequest, Confirm -> Ping to a third; Spread -> Feedback.
// On a stream:
//   Ping -> Ack; Sync -> State; Compare -> Difference; Push -> Ack; Pull -> Payloads;
//   RumorSync -> RumorState.
//
// Thread:    values.
// Ownership: Bytes point into the packet that a message was read from, or is made for.
// Read next: gossip/codec.h for the bytes, gossip/wire/gossip.proto.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "gossip/member.h"
#include "gossip/vitals.h"

namespace starling::gossip {

inline constexpr std::size_t kRumorKeyBytesMax = 255;

// What travels of a rumor. Without payload it is an advertisement: whoever needs it pulls.
struct RumorItem {
  std::string key;
  std::uint64_t version = 0;
  std::uint64_t hash =
      0;  // Of the payload. Of two payloads under one version the higher hash wins.
  std::optional<std::string> payload{};
  base::Duration age{};  // Since it was published, as far as the sender knows.
};

// Rumors fall into so many buckets by their keys, so that comparing costs what differs.
inline constexpr std::size_t kRumorBuckets = 16;
using RumorDigests = std::array<std::uint64_t, kRumorBuckets>;

struct Ping {
  std::uint64_t nonce = 0;  // Drawn at random: only who got the ping can acknowledge it.
  base::HostId target{};    // Another node at the same address stays silent.
};
// If who asked is not seen as alive it is told how, so that it can refute at once: in few bytes,
// since no answer is larger than what it answers.
struct Ack {
  std::uint64_t nonce = 0;
  Liveness seen_as = Liveness::kAlive;
  std::uint64_t generation = 0;   // As it is seen; of kAlive 0.
  std::uint32_t incarnation = 0;  // Likewise.
  base::Bytes vitals{};           // The sender's (gossip/vitals.h); to an accused none.
};
// Asks a helper to ping `target` and to pass its ack on under `nonce`. Padded, like Confirm.
struct PingRequest {
  std::uint64_t nonce = 0;
  base::HostId target{};
  base::Address address{};
};
// The helper heard nothing either, within its ack_timeout. So it lives itself, and so does the way
// to it; and the asker has a second witness.
struct Nack {
  std::uint64_t nonce = 0;
};
// Asks a member to probe `target` now, and to accuse it if it is silent to this one as well.
// Padded, so that all that follows, accusation and stream included, is not larger.
struct Confirm {
  base::HostId target{};
};
// Carries waiting claims and rumors, or the header's digest alone. `nonce` names this contact in
// the feedback.
struct Spread {
  std::uint64_t nonce = 0;
};
// Bit i of `known`: the i-th rumor of the Spread was known already.
struct Feedback {
  std::uint64_t nonce = 0;
  std::uint64_t known = 0;
};
// Says goodbye: the message has the sender's claim to have left. An Ack answers it.
struct Farewell {
  std::uint64_t nonce = 0;
};
// "This is the digest of all that I know": equal digests end the exchange.
struct Sync {
  std::uint64_t members_digest = 0;
  std::uint64_t rumors_digest = 0;
};
// Where they differ: the answerer's digests of the members by bucket, and all its rumors as
// advertisements. With retry_after_ms it is busy, and the rest says nothing.
struct State {
  bool members_equal = false;
  bool rumors_equal = false;
  base::Bytes buckets{};  // Empty, or kBucketDigestsBytes.
  std::uint32_t retry_after_ms = 0;
};
// Which buckets differ, as a bitmap, and an entry for each member that the asker has in them:
// ShortId (8 bytes) and the low half of its digest (4 bytes).
struct Compare {
  base::Bytes buckets{};
  base::Bytes entries{};
};
// The message's claims are what the asker lacked, or had in other words; `wanted` are ShortIds of
// what the answerer would hear in return.
struct Difference {
  base::Bytes wanted{};
};
struct Push {};      // What was wanted.
struct Pull {};      // The message's rumors, as advertised, are what is wanted.
struct Payloads {};  // The message's rumors, with payload.
// "These are the digests of all my rumors": the answer advertises those of other buckets.
struct RumorSync {
  RumorDigests digests{};
};
struct RumorState {};

using Body = std::variant<Ping, Ack, Nack, PingRequest, Confirm, Farewell, Spread, Feedback, Sync,
                          State, Compare, Difference, Push, Pull, Payloads, RumorSync, RumorState>;

inline constexpr std::size_t kBucketDigestsBytes = 256 * sizeof(std::uint64_t);
inline constexpr std::size_t kBucketsBytes = 256 / 8;
inline constexpr std::size_t kEntryBytes = sizeof(std::uint64_t) + sizeof(std::uint32_t);
inline constexpr std::uint32_t kRetryAfterMsMax = 60'000;

// Who speaks, and how new it is: a receiver that knows an older one asks for the rest.
struct Header {
  base::HostId from;
  std::uint64_t generation = 0;
  std::uint32_t incarnation = 0;
  std::uint64_t rumors_digest = 0;  // Of its rumors that are old enough (gossip/settled_digest.h).
};

struct Message {
  Header header;
  Body body;
  std::vector<Claim> claims{};
  std::vector<RumorItem> rumors{};
  std::vector<std::string> room{};  // Of rumors read before, for the next ones; see ClearItems().
};

// For the next message, the room of this one; but not that of a whole table, which is megabytes.
inline constexpr std::size_t kItemsKeptMax = 256;  // More than a datagram has.
inline constexpr std::size_t kRoomKeptMax = 2 * 64;
inline constexpr std::size_t kRoomBytesMax = 2048;  // Of each; more than a datagram has.
// Shorter texts have none of their own that is worth keeping: a string holds them within itself.
inline constexpr std::size_t kRoomBytesMin = sizeof(std::string);
inline void KeepRoom(Message& message, std::string& text) {
  const std::size_t bytes = text.capacity();
  if (bytes < kRoomBytesMin || bytes > kRoomBytesMax || message.room.size() >= kRoomKeptMax) return;
  message.room.push_back(std::move(text));
}
inline std::string TakeRoom(Message& message) {
  std::string text;
  if (message.room.empty()) return text;
  text = std::move(message.room.back());
  message.room.pop_back();
  return text;
}
inline void ClearItems(Message& message) {
  for (RumorItem& rumor : message.rumors) {
    KeepRoom(message, rumor.key);
    if (rumor.payload) KeepRoom(message, *rumor.payload);
  }
  // Not `= {}`, which keeps the room.
  if (message.claims.capacity() > kItemsKeptMax) message.claims = std::vector<Claim>();
  if (message.rumors.capacity() > kItemsKeptMax) message.rumors = std::vector<RumorItem>();
  message.claims.clear();
  message.rumors.clear();
}

// Upper bounds of encoded sizes, so that a packet can be filled without encoding it first. Held
// by a property test. A datagram with neither claim nor rumor, its header and seal included, and
// padding not:
inline constexpr std::size_t kEnvelopeBytesMax = 142;
// Room for all that follows from it: of a ping request two pings and a nack, of a confirm an
// accusation with three pings, and one on a stream.
inline constexpr std::size_t kPingRequestPaddingBytes = 192;
inline constexpr std::size_t kConfirmPaddingBytes = 384;
inline constexpr std::size_t kClaimBytesMax = 72;  // Beside metadata and accusers.
inline constexpr std::size_t kAccuserBytesMax = 18;
inline constexpr std::size_t kRumorBytesMax = 42;         // Beside key and payload.
inline constexpr std::size_t kRumorsPerDatagramMax = 64;  // The bits of Feedback::known.

inline std::size_t BytesBound(const Claim& claim) {
  return kClaimBytesMax + claim.metadata.size() + claim.accusers.size() * kAccuserBytesMax;
}
inline std::size_t BytesBound(const RumorItem& rumor) {
  return kRumorBytesMax + rumor.key.size() + (rumor.payload ? rumor.payload->size() : 0);
}

}  // namespace starling::gossip
