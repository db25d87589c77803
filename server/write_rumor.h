// server/write_rumor.h: a write to a keyspace that is everywhere, as a rumor.
//
// Key: gossip's mark of passing rumors, and XXH3-64 of keyspace id u32, stamping node u32 and key.
// Version: the stamp's timestamp. Payload: keyspace id u32, little-endian, and a packed entry
// (server/wire/entries.h). So a node's later write to a key takes the place of its earlier one
// that is still told; writes of two nodes, whose timestamps may be the same, are both told, and
// the replica decides by whole versions.
//
// Thread: free functions.
// Read next: gossip/passing_rumors.h, server/spread_writes.h
#pragma once

#include <cstdint>
#include <string>

#include "base/place.h"
#include "server/wire/entries.h"

namespace starling::server {

struct WriteRumor {
  std::string key;
  std::uint64_t version = 0;
  std::string payload;
};

WriteRumor MakeWriteRumor(base::KeyspaceId keyspace, const wire::PackedEntry& entry);

struct RumoredWrite {
  base::KeyspaceId keyspace = 0;
  wire::PackedEntry entry;  // Views into the payload. Its value's digest is not verified yet.
};
// Fails with InvalidArgument.
base::Result<RumoredWrite> ReadWriteRumor(base::Bytes payload);

}  // namespace starling::server
