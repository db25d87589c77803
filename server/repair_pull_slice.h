// server/repair_pull_slice.h: what a pull has in hand: orders, and their slices. Its own.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "server/bucket_parts.h"
#include "server/repair_pull.h"
#include "server/value_pieces.h"

namespace starling::server {

inline base::Status DiskFull() {
  return base::Unavailable("the disk of the node that would take it is full");
}

struct RepairPull::Order {
  std::uint64_t serial = 0;
  base::NodeNumber peer = 0;
  merkle::Generation ahead = 0;
  std::deque<std::pair<base::KeyspaceId, std::uint8_t>> waiting;
  std::size_t open = 0;    // Slices being worked on,
  std::size_t asking = 0;  // of which so many have a request under way, or are about to;
  // the others wait for their turn: first those that hold much for a bucket that is begun, of which
  // there are so few at any time; then the lowest leaf, so that all are about as far.
  std::set<std::tuple<bool, base::KeyspaceId, std::uint8_t, std::uint64_t>> ready;
  bool advancing = false;          // In RepairPull::Next.
  std::size_t slices = 0;          // Of the order.
  std::uint64_t buckets = 0;       // That differ, as far as that is known,
  std::uint64_t buckets_left = 0;  // and those of them that are not done with.
  base::Instant began;
  bool only_look = false;
  std::map<std::pair<base::KeyspaceId, std::uint16_t>, RangeDifference> differing;
  std::uint64_t entries = 0;
  std::vector<std::pair<base::KeyspaceId, std::uint8_t>> settled;  // PullDoneMail's.
  std::uint64_t unreadable = 0;  // Damaged entries or buckets, here and there; they were left out.
  base::Status damage;           // The first of what was damaged.
  base::Status status;           // Why the rest was given up.

  // All slices are about as far: of those that were begun, as many as of their buckets.
  std::uint64_t SlicesDone() const {
    const std::uint64_t begun = slices - waiting.size();
    return buckets == 0 ? begun - open : begun * (buckets - buckets_left) / buckets;
  }
};

struct RepairPull::Slice {
  Order* order = nullptr;
  base::KeyspaceId keyspace = 0;
  std::uint8_t slice = 0;
  std::uint64_t salt = 0;
  merkle::Generation cut = 0;
  std::string hashes;                  // Ours, as of the cut; until the peer's are here.
  std::vector<std::uint16_t> buckets;  // That differ, descending; the last one is next.
  bool settled = true;  // The peer has nothing in it that we lack, nor has purged further, so far.
  // Of the bucket.
  bool in_full = true;         // So far no part of it counted as equal, and no value stayed away.
  std::uint64_t adoption = 0;  // Of Adoption; 0: it is not adopted.
  base::Token next = 0;        // Where the next summary begins, if that is not its first token.
  std::string summary;         // What we have from here...
  base::Token first_token = 0;
  base::Token last_token = 0;    // ...to there.
  std::string part_hashes;       // Of it.
  std::deque<TokenRun> runs;     // That differ; the first is being asked for.
  std::string after;             // Within it: the stored key to resume after.
  std::size_t further = 0;       // So many of the next buckets are asked for along with it.
  std::unique_ptr<Fetch> fetch;  // Of the value that a page has announced.
  enum class Step : std::uint8_t { kHashes, kParts, kEntries, kPieces } step = Step::kHashes;
  bool asking = false;       // It is one of Order::asking.
  base::Instant answer_due;  // Of the request that is open.
};

// A value that comes in pieces, and what is left to do with the page that announced it.
struct RepairPull::Fetch {
  Fetch(RepairPull& home, const wire::AnnouncedValue& announced)
      : pull(home), pieces(announced.version, announced.value_bytes) {}
  ~Fetch() {
    if (!opened) return;
    pull.fetching_bytes_ -= pieces.bytes();
    pull.parts_.memory.Give(pieces.bytes());
  }
  Fetch(const Fetch&) = delete;
  Fetch& operator=(const Fetch&) = delete;

  RepairPull& pull;
  storage::EntryHeader header;
  ValuePieces pieces;
  bool opened = false;        // Memory was taken for it.
  base::Instant asked_at;     // When what the page says was so.
  base::Instant progress_at;  // Of the last piece that came.
  // The page's last section; it is not done with, and ends with this entry.
  std::string after;
  std::string names;
  Section section;  // Its views are of these.
};

// Reads what we have of one bucket, so that the peer can send the rest.
struct RepairPull::SummaryJob final : base::Job {
  SummaryJob(RepairPull& home, std::uint64_t slice_id) : pull(home), id(slice_id) {}
  void Run() noexcept override { summary = Summarize(pull.parts_.engine, request); }
  void Done() override { pull.OnSummary(*this); }

  RepairPull& pull;
  const std::uint64_t id;
  PageRequest request;
  Summary summary;
};

}  // namespace starling::server
