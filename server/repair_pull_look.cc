// server/repair_pull_look.cc: what of a slice differs, for who only wants to know.
#include <algorithm>

#include "server/repair_pull_slice.h"

namespace starling::server {

// The leaves tell which buckets differ, and how much is in them here. What of that differs, the
// entries alone could tell, and these are not read.
void RepairPull::NoteDiffering(Slice& slice) {
  const merkle::Tree* tree = parts_.replica.TreeOf(slice.keyspace);
  const std::vector<topology::Range>& ranges = snapshot_->ring->ranges(slice.keyspace);
  for (const std::uint16_t bucket : slice.buckets) {
    const auto range = std::ranges::lower_bound(ranges, bucket, {}, &topology::Range::last_bucket);
    if (range == ranges.end() || range->first_bucket > bucket) continue;
    RangeDifference& found = slice.order->differing[{slice.keyspace, range->first_bucket}];
    found.keyspace = slice.keyspace;
    found.first_bucket = range->first_bucket;
    found.last_bucket = range->last_bucket;
    ++found.buckets;
    if (tree != nullptr) found.entries_here += tree->Leaf(bucket).count;
  }
}

}  // namespace starling::server
