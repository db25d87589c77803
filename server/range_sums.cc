#include "server/range_sums.h"

#include <algorithm>
#include <vector>

namespace starling::server {

void AddRangeSums(const Snapshot& snapshot, base::KeyspaceId keyspace,
                  const merkle::History* history, merkle::Generation cut, RangeSums& sums) {
  std::vector<merkle::Digest*> of_bucket(base::kBuckets);
  for (const topology::Range& range : snapshot.ring->ranges(keyspace)) {
    if (std::ranges::find(range.replicas, snapshot.self) == range.replicas.end()) continue;
    merkle::Digest& sum = sums[{keyspace, range.first_bucket}];
    for (std::uint32_t bucket = range.first_bucket; bucket <= range.last_bucket; ++bucket)
      of_bucket[bucket] = &sum;
  }
  if (history == nullptr) return;
  for (std::uint32_t bucket = 0; bucket < base::kBuckets; ++bucket)
    if (of_bucket[bucket] != nullptr)
      *of_bucket[bucket] += history->tree().Leaf(static_cast<std::uint16_t>(bucket));
  history->recent().ForEachLater(cut, [&](std::uint16_t bucket, const merkle::Digest& delta) {
    if (of_bucket[bucket] != nullptr) *of_bucket[bucket] -= delta;
  });
}

}  // namespace starling::server
