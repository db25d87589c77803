// server/local_write.h: an entry that a replica is to write, and who asked for it.
//
// Thread:    values.
// Ownership: views; whoever keeps one for longer than the call copies the bytes.
// Read next: server/replica.h
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/place.h"
#include "server/purge/rules.h"
#include "storage/entry.h"

namespace starling::server {

// Whose operation it was; the meaning of the numbers is the listener's.
struct Ticket {
  enum class Kind : std::uint8_t { kNobody, kPut, kGet, kPeer, kOrphan, kPurge, kAdopt, kPull };
  Kind kind = Kind::kNobody;
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  std::uint64_t c = 0;  // Of kPull: so many more entries are told of with it.
};

struct LocalWrite {
  base::KeyspaceId keyspace = 0;
  base::Token token = 0;
  base::Bytes key;
  storage::EntryHeader header;
  base::Bytes value;
  // The coordinator's own first write: the replica asks OnStamp for a version above what it holds.
  bool stamp = false;
  Ticket ticket;
  // Of a repair; anything else is a direct write, however it comes.
  purge::Source source{};
};

}  // namespace starling::server
