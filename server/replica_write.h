// server/replica_write.h: one version of one entry, as the message that hands it to a replica.
//
// Thread:    free function.
// Ownership: the message looks into `key`.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/place.h"
#include "server/wire/peer_messages.h"
#include "storage/entry.h"

namespace starling::server {

// `epoch`: of the sender. The value goes as the frame's payload.
inline wire::ReplicaWrite ReplicaWriteOf(base::KeyspaceId keyspace, base::Bytes key,
                                         const storage::EntryHeader& header, std::uint64_t epoch) {
  return {.keyspace = keyspace,
          .key = key,
          .version = header.version,
          .flags = header.flags,
          .origin = static_cast<std::uint8_t>(header.origin),
          .expiry_ms = header.expiry_ms,
          .value_digest = header.value_digest,
          .epoch = epoch};
}

}  // namespace starling::server
