// server/purge_scan.h: finds, off the worker, what purge or adoption is to remove from a bucket.
//
// What is found is removed only if it is still the same by then (Replica::Remove). An entry that
// cannot be read is passed over, and told of: it stays.
//
// Thread:    any; on the background lane.
// Read next: server/purger.h, server/adoption.h
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/purge/dead.h"
#include "storage/engine.h"
#include "storage/entry.h"

namespace starling::server {

struct Removable {
  std::string stored_key;
  base::Token token = 0;
  storage::EntryHeader header;
  std::string value;  // Of an extra that is no tombstone.
};

struct DeadPage {
  std::vector<Removable> found;
  // Of what stays: from which second on something may go.
  std::uint32_t due_s = purge::DeadCounts::kNever;
  bool done = false;  // The whole bucket was looked at.
  std::string last;   // If not: the stored key to go on behind.
  base::Status status;
  base::Status unreadable;  // The first entry that was passed over; ok if none was.
};

// What may go at `horizon`, up to `most` entries, behind the stored key `after` (empty: all). A
// mistake of old: `wall_ms` has no say (tests/sim/mutants_test.cc).
DeadPage FindDead(storage::Engine& engine, base::KeyspaceId keyspace, std::uint16_t bucket,
                  base::Bytes after, std::uint64_t horizon, std::size_t most, std::int64_t wall_ms);

// A part of a bucket: behind the stored key `after` (empty: from its beginning) up to and with
// `last` (empty: to its end).
struct Span {
  base::KeyspaceId keyspace = 0;
  std::uint16_t bucket = 0;
  std::string after;
  std::string last;
};

struct ExtraPage {
  std::vector<Removable> found;
  bool whole = true;  // All of the span was looked at.
  // One hides what is named: the peer has an older version under its token, which it did not send,
  // since ours was newer.
  bool owed = false;
  base::Status status;
  base::Status unreadable;  // As above.
};

// What is in the span at or below `mark`, and is not in `names` (records of {token u64, version}).
// At most about `bytes_max` of values are held.
ExtraPage FindExtras(storage::Engine& engine, const Span& span, base::Bytes names,
                     std::uint64_t mark, std::size_t bytes_max);

}  // namespace starling::server
