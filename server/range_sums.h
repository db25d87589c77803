// server/range_sums.h: the digests of a node's ranges as of a cut, the part that a worker has.
//
// Thread: free functions.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "merkle/history.h"
#include "server/snapshot.h"

namespace starling::server {

// By keyspace and first bucket.
using RangeSums = std::map<std::pair<base::KeyspaceId, std::uint16_t>, merkle::Digest>;

// Adds those of the keyspace's ranges that this node replicates. `history`: null if it is empty.
// REQUIRES: history answers for the cut.
void AddRangeSums(const Snapshot& snapshot, base::KeyspaceId keyspace,
                  const merkle::History* history, merkle::Generation cut, RangeSums& sums);

}  // namespace starling::server
