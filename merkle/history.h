// merkle/history.h: the digests of one keyspace on one node, now and as of cuts in the near past.
//
// A tree, and what changed in it lately. Both are fed by each write alike.
//
// Thread:    confined. Each worker has one of the slices it owns.
// Read next: merkle/tree.h, merkle/recent.h
#pragma once

#include "merkle/bucket_set.h"
#include "merkle/compare.h"
#include "merkle/recent.h"
#include "merkle/tree.h"

namespace starling::merkle {

class History {
 public:
  History(base::KeyspaceId keyspace, Generation start) : tree_(keyspace), recent_(start) {}

  // A write that counts for `generation` added an entry, and replaced another (empty: none).
  void Change(std::uint16_t bucket, Generation generation, const Digest& added,
              const Digest& removed);

  // A change of the bucket comes soon: what it will touch is fetched meanwhile. Worth it for
  // several at once.
  void Prefetch(std::uint16_t bucket) const {
    tree_.Prefetch(bucket);
    recent_.Prefetch(bucket);
  }

  // As of a cut. REQUIRES: recent().Answers(cut).
  Digest LeafAt(std::uint16_t bucket, Generation cut) const;
  Digest SliceSumAt(std::uint8_t slice, const BucketSet& buckets, Generation cut) const;
  using Sums = std::array<Digest, base::kSlices>;
  Sums SliceSumsAt(const BucketSet& buckets, Generation cut) const;  // Of all at once: cheaper.
  SliceHashes HashSliceAt(std::uint8_t slice, const BucketSet& buckets, std::uint64_t salt,
                          Generation cut) const;

  Tree& tree() { return tree_; }
  const Tree& tree() const { return tree_; }
  Recent& recent() { return recent_; }
  const Recent& recent() const { return recent_; }

 private:
  Tree tree_;
  Recent recent_;
};

}  // namespace starling::merkle
