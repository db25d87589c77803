// merkle/compare.h: what differs between two replicas of a slice, from short hashes of its leaves.
//
// Thread:    free functions.
// Read next: server/repair.h
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/place.h"
#include "merkle/bucket_set.h"
#include "merkle/tree.h"

namespace starling::merkle {

// What stands for a bucket that is not compared.
inline constexpr std::uint64_t kNotInSet = 0;

// A leaf in 8 bytes, salted by both sides of one exchange, so that a collision does not persist.
// Never kNotInSet, not even for an empty leaf.
std::uint64_t ShortHash(const Digest& leaf, std::uint64_t salt);

// The short hashes of the slice's leaves that are in `buckets`, kNotInSet for the others: index is
// the leaf.
using SliceHashes = std::array<std::uint64_t, base::kLeavesPerSlice>;
SliceHashes HashSlice(const Tree& tree, std::uint8_t slice, const BucketSet& buckets,
                      std::uint64_t salt);

// The buckets of `slice` at which two sides differ, ascending. A bucket that is not in both sides'
// sets is not among them: whoever does not own it has nothing to say about it.
std::vector<std::uint16_t> DifferingBuckets(std::uint8_t slice, const SliceHashes& mine,
                                            const SliceHashes& theirs);

}  // namespace starling::merkle
