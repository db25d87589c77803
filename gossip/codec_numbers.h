// gossip/codec_numbers.h: gossip.proto's numbers, for the two halves of the codec alone.
//
// Thread: constants.
#pragma once

#include <array>
#include <cstdint>

namespace starling::gossip::numbers {

// Field numbers of Message.
enum : std::uint32_t {
  kFrom = 1,
  kGeneration = 2,
  kIncarnation = 3,
  kPing = 4,
  kAck = 5,
  kPingRequest = 6,
  kSpread = 7,
  kFeedback = 8,
  kSync = 9,
  kState = 10,
  kPush = 11,
  kPull = 12,
  kPayloads = 13,
  kClaims = 14,
  kRumors = 15,
  kNack = 16,
  kConfirm = 17,
  kCompare = 18,
  kDifference = 19,
  kRumorSync = 20,
  kRumorState = 21,
  kRumorsDigest = 22,
  kFarewell = 23,
};

// The numbers of Liveness on the wire, in the order of claims.
inline constexpr std::array<std::uint64_t, 5> kLivenesses = {1, 2, 5, 3, 4};

// What is older is told as so old.
inline constexpr std::uint64_t kAgeMsMax = 1ULL << 41;
inline constexpr std::uint64_t kRumorAgeMsMax = 1ULL << 31;  // 24 days: as good as for ever.

}  // namespace starling::gossip::numbers
