#include "merkle/compare.h"

#include "base/hash.h"

namespace starling::merkle {

std::uint64_t ShortHash(const Digest& leaf, std::uint64_t salt) {
  char bytes[Digest::kSize];
  leaf.StoreTo(bytes);
  const std::uint64_t hash = base::Hash64({bytes, sizeof bytes}, salt);
  return hash != kNotInSet ? hash : 1;
}

SliceHashes HashSlice(const Tree& tree, std::uint8_t slice, const BucketSet& buckets,
                      std::uint64_t salt) {
  SliceHashes hashes{};
  for (std::uint32_t leaf = 0; leaf < base::kLeavesPerSlice; ++leaf) {
    const std::uint16_t bucket = base::BucketAt(slice, static_cast<std::uint8_t>(leaf));
    hashes[leaf] = buckets.Contains(bucket) ? ShortHash(tree.Leaf(bucket), salt) : kNotInSet;
  }
  return hashes;
}

std::vector<std::uint16_t> DifferingBuckets(std::uint8_t slice, const SliceHashes& mine,
                                            const SliceHashes& theirs) {
  std::vector<std::uint16_t> differing;
  for (std::uint32_t leaf = 0; leaf < base::kLeavesPerSlice; ++leaf) {
    const bool shared = mine[leaf] != kNotInSet && theirs[leaf] != kNotInSet;
    if (shared && mine[leaf] != theirs[leaf])
      differing.push_back(base::BucketAt(slice, static_cast<std::uint8_t>(leaf)));
  }
  return differing;
}

}  // namespace starling::merkle
