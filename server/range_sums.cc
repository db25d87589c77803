#include "server/range_sums.h"

#include <algorithm>
#include <vector>

namespace starling::server {

void AddRangeSums(const Snapshot& snapshot, base::KeyspaceId keyspace,
                  const merkle::History* history, merkle::Generation cut, RangeSums& sums) {
  struct Mine {
    std::uint16_t first_bucket, last_bucket;
    merkle::Digest* sum;
  };
  std::vector<Mine> mine;  // By bucket.
  for (const topology::Range& range : snapshot.ring->ranges(keyspace)) {
    if (std::ranges::find(range.replicas, snapshot.self) == range.replicas.end()) continue;
    merkle::Digest& sum = sums[{keyspace, range.first_bucket}];
    mine.push_back({range.first_bucket, range.last_bucket, &sum});
    if (history != nullptr) sum += history->tree().RunSum(range.first_bucket, range.last_bucket);
  }
  if (history == nullptr) return;
  history->recent().ForEachLater(cut, [&](std::uint16_t bucket, const merkle::Digest& delta) {
    const auto range = std::ranges::lower_bound(mine, bucket, {}, &Mine::last_bucket);
    if (range != mine.end() && range->first_bucket <= bucket) *range->sum -= delta;
  });
}

}  // namespace starling::server
