// server/node_metadata.h: what a node tells of itself through gossip, beside being alive.
//
// Thread: free functions.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace starling::server {

struct NodeMetadata {
  std::uint64_t epoch = 0;      // The newest one that it has adopted.
  bool ready = false;           // Serves reads.
  std::int64_t load_bytes = 0;  // What its data takes on disk, about.
};

// What is not ours to read gives a node that is not ready, in epoch 0.
NodeMetadata ParseMetadata(base::Bytes bytes);

}  // namespace starling::server
