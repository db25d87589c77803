// server/shared_buckets.h: which buckets of a keyspace two nodes both hold, kept for an epoch.
//
// Thread: confined to its holder; each actor has its own.
#pragma once

#include <map>
#include <memory>
#include <utility>

#include "merkle/bucket_set.h"
#include "server/snapshot.h"

namespace starling::server {

class SharedBuckets {
 public:
  // The buckets that this node and `peer` (an index into the topology's nodes) both replicate.
  // Valid until another snapshot is passed.
  const merkle::BucketSet& Of(const Snapshot& snapshot, std::size_t peer,
                              base::KeyspaceId keyspace) {
    if (ring_ != snapshot.ring) {
      sets_.clear();
      ring_ = snapshot.ring;
    }
    auto& set = sets_[{peer, keyspace}];
    if (set == nullptr) {
      set = std::make_unique<merkle::BucketSet>();
      for (const topology::Range& range : snapshot.ring->ranges(keyspace)) {
        const auto holds = [&](std::size_t node) {
          return std::find(range.replicas.begin(), range.replicas.end(), node) !=
                 range.replicas.end();
        };
        if (!holds(snapshot.self) || !holds(peer)) continue;
        for (std::uint32_t bucket = range.first_bucket; bucket <= range.last_bucket; ++bucket)
          set->Insert(static_cast<std::uint16_t>(bucket));
      }
    }
    return *set;
  }

 private:
  std::shared_ptr<const topology::Ring> ring_;
  std::map<std::pair<std::size_t, base::KeyspaceId>, std::unique_ptr<merkle::BucketSet>> sets_;
};

}  // namespace starling::server
