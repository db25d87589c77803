// server/repair_pull_slice.h: what a pull has in hand: orders, and their slices. Its own.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "server/bucket_parts.h"
#include "server/repair_pull.h"

namespace starling::server {

struct RepairPull::Order {
  std::uint64_t serial = 0;
  base::NodeNumber peer = 0;
  merkle::Generation ahead = 0;
  std::deque<std::pair<base::KeyspaceId, std::uint8_t>> waiting;
  std::size_t open = 0;    // Slices being worked on.
  std::size_t slices = 0;  // Of the order.
  base::Instant began;
  std::uint64_t entries = 0;
  std::vector<std::pair<base::KeyspaceId, std::uint8_t>> settled;  // PullDoneMail's.
  std::uint64_t unreadable = 0;  // Damaged entries or buckets, here and there; they were left out.
  base::Status damage;           // The first of what was damaged.
  base::Status status;           // Why the rest was given up.
};

struct RepairPull::Slice {
  Order* order = nullptr;
  base::KeyspaceId keyspace = 0;
  std::uint8_t slice = 0;
  std::uint64_t salt = 0;
  merkle::Generation cut = 0;
  std::string hashes;                  // Ours, as of the cut.
  std::vector<std::uint16_t> buckets;  // That differ, descending; the last one is next.
  bool settled = true;  // The peer has nothing in it that we lack, nor has purged further, so far.
  // Of the bucket.
  bool in_full = true;   // All of it is asked for, so far: no part of it counted as equal.
  base::Token next = 0;  // Where the next summary begins, if that is not its first token.
  std::string summary;   // What we have from here...
  base::Token first_token = 0;
  base::Token last_token = 0;  // ...to there.
  std::string part_hashes;     // Of it.
  std::deque<TokenRun> runs;   // That differ; the first is being asked for.
  std::string after;           // Within it: the stored key to resume after.
  std::size_t further = 0;     // So many of the next buckets are asked for along with it.
  enum class Step : std::uint8_t { kHashes, kParts, kEntries } step = Step::kHashes;
  base::Instant answer_due;  // Of the request that is open.
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
