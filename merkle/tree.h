// merkle/tree.h: the digests of one keyspace on one node, a leaf a bucket, kept up write by write.
//
// The tree knows nothing of storage: the owner feeds it what a write removed and added, and writes
// the leaves that changed in the same batch as the data, so that after a crash the two agree.
// A leaf's record is keyed by keyspace u32, slice u8, leaf u8 (big-endian) and holds a Digest.
//
// Thread:    confined. Each worker has a tree that holds the slices it owns.
// Ownership: leaves are allocated a slice at a time, on first use (6 KiB a slice).
// Read next: merkle/compare.h
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/place.h"
#include "base/status.h"
#include "merkle/bucket_set.h"
#include "merkle/digest.h"

namespace starling::merkle {

class Tree {
 public:
  explicit Tree(base::KeyspaceId keyspace);

  // Of an entry, or of what a set of them changed by.
  void Add(std::uint16_t bucket, const Digest& entry);
  void Remove(std::uint16_t bucket, const Digest& entry);
  // Sets a leaf to what was stored, at start. Does not make it dirty.
  void Load(std::uint16_t bucket, const Digest& leaf);

  Digest Leaf(std::uint16_t bucket) const;
  // Has the leaf brought near, without waiting for it.
  void Prefetch(std::uint16_t bucket) const {
    const std::unique_ptr<Page>& page = pages_[base::SliceOf(bucket)];
    if (!page) return;
    const Digest& leaf = (*page)[base::LeafOf(bucket)];
    __builtin_prefetch(&leaf.count, 1);
    __builtin_prefetch(&leaf.high, 1);  // A quarter of them lie in two cache lines.
  }
  // Calls visit(bucket, leaf) for each leaf that is not empty.
  template <typename Visit>
  void ForEachLeaf(Visit&& visit) const;
  // The sum over the buckets of `slice` that are in `buckets`.
  Digest SliceSum(std::uint8_t slice, const BucketSet& buckets) const;
  Digest Sum(const BucketSet& buckets) const;
  // The sum over the buckets from `first` to `last`, both included.
  Digest RunSum(std::uint16_t first, std::uint16_t last) const;

  // The buckets changed since the last ClearDirty, each once, in the order of their first change.
  // Valid until the next change.
  const std::vector<std::uint16_t>& dirty() const { return dirty_; }
  void ClearDirty();

  base::KeyspaceId keyspace() const { return keyspace_; }
  std::size_t memory_bytes() const;

 private:
  using Page = std::array<Digest, base::kLeavesPerSlice>;

  Page& PageOf(std::uint8_t slice);
  void MarkDirty(std::uint16_t bucket);

  const base::KeyspaceId keyspace_;
  std::array<std::unique_ptr<Page>, base::kSlices> pages_;
  std::vector<std::uint16_t> dirty_;
  BucketSet dirty_set_;
};

template <typename Visit>
void Tree::ForEachLeaf(Visit&& visit) const {
  for (std::uint32_t slice = 0; slice < base::kSlices; ++slice) {
    if (!pages_[slice]) continue;
    for (std::uint32_t leaf = 0; leaf < base::kLeavesPerSlice; ++leaf)
      if (const Digest& digest = (*pages_[slice])[leaf]; !digest.empty())
        visit(base::BucketAt(static_cast<std::uint8_t>(slice), static_cast<std::uint8_t>(leaf)),
              digest);
  }
}

// The key and value of a leaf's record in storage.
inline constexpr std::size_t kLeafKeyBytes = sizeof(base::KeyspaceId) + 2;
std::string LeafKey(base::KeyspaceId keyspace, std::uint16_t bucket);
struct LeafPlace {
  base::KeyspaceId keyspace = 0;
  std::uint16_t bucket = 0;
};
base::Result<LeafPlace> ParseLeafKey(base::Bytes key);  // Corruption when malformed.
std::string EncodeLeaf(const Digest& leaf);
void EncodeLeafTo(const Digest& leaf, std::string& out);  // Appends.
base::Result<Digest> DecodeLeaf(base::Bytes value);       // Corruption when malformed.

}  // namespace starling::merkle
