// base/place.h: where a key lives: token, bucket, slice, leaf. The same on every node and disk.
//
// The token's top 16 bits are the bucket: the grain of ownership and of the hash tree's leaves.
// A bucket's low byte is its slice: 256 buckets strided over the whole ring, the unit that a
// worker owns and that repair exchanges. Its high byte is the leaf within the slice's page.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace starling::base {

using Token = std::uint64_t;
using KeyspaceId = std::uint32_t;  // Given by an epoch, never reused.

inline constexpr std::uint32_t kBuckets = 65536;
inline constexpr std::uint32_t kSlices = 256;
inline constexpr std::uint32_t kLeavesPerSlice = kBuckets / kSlices;

// XXH3-64 of the key under the cluster's seed.
Token TokenOf(Bytes key, std::uint64_t cluster_seed);

constexpr std::uint16_t BucketOf(Token token) { return static_cast<std::uint16_t>(token >> 48); }
constexpr std::uint8_t SliceOf(std::uint16_t bucket) { return static_cast<std::uint8_t>(bucket); }
constexpr std::uint8_t LeafOf(std::uint16_t bucket) {
  return static_cast<std::uint8_t>(bucket >> 8);
}
constexpr std::uint16_t BucketAt(std::uint8_t slice, std::uint8_t leaf) {
  return static_cast<std::uint16_t>(leaf << 8 | slice);
}

// The lowest token of a bucket, and the highest.
constexpr Token FirstToken(std::uint16_t bucket) { return static_cast<Token>(bucket) << 48; }
constexpr Token LastToken(std::uint16_t bucket) { return FirstToken(bucket) | 0xffffffffffffULL; }

// Which of `workers` owns a bucket. What is on disk does not depend on it.
constexpr unsigned WorkerOf(std::uint16_t bucket, unsigned workers) {
  return SliceOf(bucket) % workers;
}

}  // namespace starling::base
