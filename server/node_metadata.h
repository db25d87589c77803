// server/node_metadata.h: what a node tells of itself through gossip, beside being alive.
//
// In classes by how often it changes (docs/gossip.md): what never does in the life of a process
// (address, rack) is part of its identity; metadata changes a few times a day, and all are told;
// vitals change all the time, and only who pings the node hears them.
//
// Thread: free functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"

namespace starling::server {

struct NodeMetadata {
  std::uint64_t epoch = 0;  // The newest one that it has adopted.
  bool ready = false;       // Serves reads.
  bool disk_full = false;   // Takes deletes, and no put.
};

// epoch u64 | ready u8 | u8 1, only if the disk is full; later releases may say more.
std::string EncodeMetadata(const NodeMetadata& metadata);
// What is not ours to read gives a node that is not ready, in epoch 0.
NodeMetadata ParseMetadata(base::Bytes bytes);

struct NodeVitals {
  std::int64_t load_bytes = 0;  // What its data takes on disk, about.
};

// The load, little-endian, without its high bytes that are zero: each ack has them.
// REQUIRES: load_bytes >= 0.
std::string EncodeVitals(const NodeVitals& vitals);
std::optional<NodeVitals> ParseVitals(base::Bytes bytes);

}  // namespace starling::server
