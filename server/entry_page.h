// server/entry_page.h: a page of stored entries, read and packed off the worker.
//
// Three uses: what a replica has of a token range (scans), what it has that a puller lacks
// (repair), and a puller's own summary of a bucket, which says what it has. A page ends before the
// entry that would bring it over its size; the first one of a page always fits, as a frame has room
// for the largest. Repair's page ends with a value that is too large to be sent whole: that one is
// fetched in pieces (server/open_values.h). To a scan an entry that cannot be read is Corruption;
// repair goes on without it, and counts it.
//
// Thread:    a job runs on the background lane; its results are read in Done().
// Read next: server/scan.h, server/repair_pull.h
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/actor.h"
#include "base/mutants.h"
#include "merkle/recent.h"
#include "storage/engine.h"
#include "storage/entry.h"

namespace starling::server {

inline constexpr std::size_t kPageBytesStandard = 1 << 20;

// Writes that are on their way to all replicas by themselves: later than a cut, and not so late
// that only a clock far ahead can have stamped them.
struct UnderWay {
  merkle::Generation cut = INT64_MAX;  // Nothing is later.
  std::int64_t wall_ms = 0;
  bool Has(const base::Version& version) const {
    if (base::Mutant("repair-sends-under-way")) return false;
    return merkle::GenerationOf(version.wall_ms()) > cut &&
           version.wall_ms() <= wall_ms + merkle::kSkewMs;
  }
};

struct PageRequest {
  base::KeyspaceId keyspace = 0;
  base::Token from_token = 0;
  std::string after_key;       // With from_token: resume after this key; empty: at from_token.
  base::Token last_token = 0;  // Included.
  std::size_t bytes_max = kPageBytesStandard;
  UnderWay under_way{};  // What ReadMissing passes over.
  // ReadMissing: 0, or names all entries up to this timestamp, wanted or not.
  std::uint64_t names_upto = 0;
  // ReadMissing, ReadFurther: a larger value is announced. 0: none is.
  std::size_t whole_bytes_max = 0;
};

// Entries that are stored, and damaged.
struct Unreadable {
  std::uint64_t entries = 0;
  base::Status first;  // What is wrong with the first of them.
};

// A bucket that is asked for whole, beside the one of the request.
struct WholeBucket {
  std::uint16_t bucket = 0;
  std::uint64_t names_upto = 0;  // As in PageRequest.
};
// What a page holds of it, behind what it holds of those before.
struct ToldBucket {
  std::uint64_t unreadable = 0;
  std::uint32_t names_bytes = 0;
  std::uint32_t bytes = 0;  // With the names, which come first.
};

// The last entry of a page, whose value goes in pieces.
struct Announced {
  storage::EntryHeader header;
  std::string value;
};

struct Page {
  std::string packed;  // server/wire/entries.h
  std::string names;   // Records as of a Summary, of what was read.
  std::uint64_t entries = 0;
  // Nothing more up to last_token; with further buckets: in the last of them.
  bool done = false;
  base::Token last_read_token = 0;     // If not done: where to resume...
  std::string last_read_key;           // ...after this key,
  std::optional<Announced> announced;  // which this is of. Not among `entries`.
  std::uint64_t bytes_read = 0;
  Unreadable unreadable;            // Repair's pages only.
  std::vector<ToldBucket> further;  // Of ReadFurther.
  base::Status status;
};

// All entries of the range, tombstones and expired ones included.
Page ReadPage(storage::Engine& engine, const PageRequest& request);

// {token u64, version 16 bytes} of each entry of the range, little-endian, in storage order. A
// range of too many is told up to `last_token`: all entries of a token, or none.
struct Summary {
  std::string packed;
  base::Token last_token = 0;
  std::uint64_t bytes_read = 0;
  Unreadable unreadable;
  base::Status status;
};
inline constexpr std::size_t kSummaryRecordBytes = 24;
Summary Summarize(storage::Engine& engine, const PageRequest& request);

// The entries of the range that the holder of `summary` lacks or has older.
Page ReadMissing(storage::Engine& engine, const PageRequest& request, base::Bytes summary);
// Goes on with the entries of `buckets`, which ascend and are held nowhere by who asks, as far as
// the page has room. A bucket that cannot be read ends it: asked for by itself, it says why.
void ReadFurther(storage::Engine& engine, const PageRequest& request,
                 std::span<const WholeBucket> buckets, Page& page);

// The value of one entry, if it still has this version and digest: else NotFound.
struct OneValue {
  std::string value;
  std::uint64_t bytes_read = 0;
  base::Status status;  // Corruption: it is damaged.
};
OneValue ReadValue(storage::Engine& engine, const storage::DataKey& key,
                   const base::Version& version, std::uint64_t value_digest);

}  // namespace starling::server
