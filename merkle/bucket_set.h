// merkle/bucket_set.h: a set of buckets, 8 KiB: what two nodes share, what changed, what differs.
#pragma once

#include <bitset>
#include <cstdint>

#include "base/place.h"

namespace starling::merkle {

class BucketSet {
 public:
  static BucketSet All() {
    BucketSet all;
    all.bits_.set();
    return all;
  }

  void Insert(std::uint16_t bucket) { bits_.set(bucket); }
  void Erase(std::uint16_t bucket) { bits_.reset(bucket); }
  void Clear() { bits_.reset(); }
  bool Contains(std::uint16_t bucket) const { return bits_.test(bucket); }
  bool empty() const { return bits_.none(); }
  std::size_t size() const { return bits_.count(); }
  bool operator==(const BucketSet&) const = default;

 private:
  std::bitset<base::kBuckets> bits_;
};

}  // namespace starling::merkle
