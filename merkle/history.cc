#include "merkle/history.h"

#include "base/check.h"
#include "base/mutants.h"

namespace starling::merkle {

void History::Change(std::uint16_t bucket, Generation generation, const Digest& added,
                     const Digest& removed) {
  const Digest delta = added - removed;
  tree_.Add(bucket, delta);
  recent_.Note(bucket, generation, base::Mutant("repair-cut-keeps-replaced") ? added : delta);
}

Digest History::LeafAt(std::uint16_t bucket, Generation cut) const {
  if (base::Mutant("repair-cut-is-now")) return tree_.Leaf(bucket);
  return tree_.Leaf(bucket) - recent_.Later(bucket, cut);
}

Digest History::SliceSumAt(std::uint8_t slice, const BucketSet& buckets, Generation cut) const {
  Digest sum;
  for (std::uint32_t leaf = 0; leaf < base::kLeavesPerSlice; ++leaf) {
    const std::uint16_t bucket = base::BucketAt(slice, static_cast<std::uint8_t>(leaf));
    if (buckets.Contains(bucket)) sum += LeafAt(bucket, cut);
  }
  return sum;
}

History::Sums History::SliceSumsAt(const BucketSet& buckets, Generation cut) const {
  CHECK(recent_.Answers(cut));
  Sums sums;
  for (std::uint32_t slice = 0; slice < base::kSlices; ++slice)
    sums[slice] = tree_.SliceSum(static_cast<std::uint8_t>(slice), buckets);
  if (base::Mutant("repair-cut-is-now")) return sums;
  recent_.ForEachLater(cut, [&](std::uint16_t bucket, const Digest& delta) {
    if (buckets.Contains(bucket)) sums[base::SliceOf(bucket)] -= delta;
  });
  return sums;
}

SliceHashes History::HashSliceAt(std::uint8_t slice, const BucketSet& buckets, std::uint64_t salt,
                                 Generation cut) const {
  SliceHashes hashes{};
  for (std::uint32_t leaf = 0; leaf < base::kLeavesPerSlice; ++leaf) {
    const std::uint16_t bucket = base::BucketAt(slice, static_cast<std::uint8_t>(leaf));
    hashes[leaf] = buckets.Contains(bucket) ? ShortHash(LeafAt(bucket, cut), salt) : kNotInSet;
  }
  return hashes;
}

}  // namespace starling::merkle
