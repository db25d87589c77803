// server/repair_pull.h: fetches from one peer what this worker's slices lack.
//
// Control finds the slices that differ (server/repair.h) and hands them to the workers that own
// them. Here a slice is narrowed to its differing buckets by short hashes of its leaves, each such
// bucket to the parts that differ by hashes of them (server/bucket_parts.h), and these to their
// differing entries by a summary: the sender answers with exactly the entries that are missing or
// older here. The slices of an order go through the range of keys side by side, so that an emptied
// node writes and its peer reads about in the order of keys; a few requests are under way at a
// time, at no more than repair.rate. A value that is
// larger than repair.piece is announced, and fetched in pieces before its slice goes on. An entry
// that is damaged, on either side, is left out, counted, and told of at the end; the rest goes on.
//
// Thread:    confined to its worker.
// Its parts: repair_pull.cc (orders and slices), repair_pull_parts.cc, repair_pull_entries.cc,
//            repair_pull_values.cc (values in pieces), repair_pull_fill.cc (what becomes tables),
//            repair_pull_look.cc (what differs, told only)
// Read next: server/entry_page.h, merkle/compare.h
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/slab.h"
#include "base/world.h"
#include "server/adoption.h"
#include "server/entry_page.h"
#include "server/mail.h"
#include "server/memory_share.h"
#include "server/met_damage.h"
#include "server/peer_links.h"
#include "server/pulled_run.h"
#include "server/rate_shares.h"
#include "server/replica.h"
#include "server/shared_buckets.h"
#include "server/snapshot.h"
#include "server/wire/entries.h"

namespace starling::server {

inline constexpr std::uint32_t kTagPull = 4;  // PeerTag::kind of its requests.

// Of a node's pulls: what was taken and is not committed yet, shared evenly by its workers. Higher:
// larger commits, so a client's write waits longer for the one that it is in; lower: more syncs.
inline constexpr std::uint64_t kTakingBytesMax = 256 << 10;

// How long a pull waits for an answer to a request of its own.
inline constexpr base::Duration kPullAnswerMax = base::seconds(30);

// Of a worker's pulls: of values that come in pieces, together; a larger one comes alone. Higher:
// more of them at a time from peers that are far; lower: less memory.
inline constexpr std::uint64_t kFetchingBytesMax = 16 << 20;

// For so long a piece is asked for again, when the peer had no room or the connection broke, before
// its slice is given up.
inline constexpr base::Duration kPieceRetryMax = base::seconds(10);

struct RepairPullParts {
  base::World& world;
  storage::Engine& engine;
  Replica& replica;
  PeerLinks& links;
  SharedBuckets& shared;
  Adoption& adoption;
  MetDamage& met_damage;  // Of what this node has itself.
  RateShare& rate;        // Of this worker's part of repair.rate.
  MemoryShare& memory;
  std::uint32_t piece_bytes = 256 << 10;  // repair.piece
  std::uint64_t taking_bytes_max = kTakingBytesMax;
  std::uint64_t run_bytes = 0;  // What is gathered for tables (repair.run). 0: nothing is.
};

class RepairPull {
 public:
  explicit RepairPull(const RepairPullParts& parts);
  ~RepairPull();

  void Adopt(SnapshotPtr snapshot) { snapshot_ = std::move(snapshot); }
  // Answered by a PullDoneMail to control.
  void Start(const PullMail& order);

  void OnPeerReply(const PeerTag& tag, const wire::Frame& frame);
  void OnPeerFailed(const PeerTag& tag, const base::Status& status);
  // An entry of ours is committed, or refused.
  void OnTaken(const Ticket& ticket, const base::Status& error);
  // Gives up what a peer has left unanswered for long. To be called now and then.
  void OnTick(base::Instant now);
  // Goes on with what waited for the disk to take the pages before it.
  void OnTurnEnd();

  // --- the other side: what a peer pulls from us ---
  // The hashes of one of our slices. FailedPrecondition when the epochs or owners do not fit, or
  // the cut cannot be answered.
  base::Result<std::string> HashesFor(const wire::SliceHashesRequest& request,
                                      base::NodeNumber peer);

  RepairStats stats() const;
  RepairStats& mutable_stats() { return stats_; }

 private:
  // Of an order. Higher: more is under way from a peer that is far; lower: less is taken in one
  // turn, for which clients' requests wait, and less in one commit.
  static constexpr std::size_t kRequestsAtATime = 8;
  // Of an order. Lower: tables of an emptied node overlap, and are merged again and again.
  static constexpr std::size_t kSlicesAtATime = base::kSlices;
  // Of a page, but for a larger entry. Higher: fewer exchanges; lower: as above.
  static constexpr std::uint32_t kPageBytes = 32 << 10;

  struct Order;
  struct Slice;
  struct SummaryJob;
  struct Fetch;
  // What a page holds of one bucket.
  struct Section {
    bool done = false;
    base::Bytes after;  // If not done.
    std::uint64_t unreadable = 0;
    purge::Source source;
    std::uint64_t named_upto = 0;
    base::Bytes names;
    base::Bytes entries;
  };

  void Next(Order& order);
  void OpenNext(Order& order);
  void End(Order& order);
  merkle::Generation CutFor(const Slice& slice) const;
  void Ask(std::uint64_t id, Slice& slice);
  void OnHashes(std::uint64_t id, Slice& slice, const wire::Frame& frame);
  void NoteDiffering(Slice& slice);
  void NextBucket(std::uint64_t id, Slice& slice);
  void GoOn(std::uint64_t id, Slice& slice);
  void StartSummary(std::uint64_t id, Slice& slice);
  void OnSummary(SummaryJob& job);
  void AskParts(std::uint64_t id, Slice& slice, std::uint32_t parts);
  void OnParts(std::uint64_t id, Slice& slice, const wire::Frame& frame);
  bool NothingOf(base::KeyspaceId keyspace, std::uint16_t bucket) const;
  static void TakeWhole(Slice& slice);
  static std::string BeginOf(const Slice& slice);
  std::string FurtherOf(const Slice& slice) const;
  void AskEntries(std::uint64_t id, Slice& slice);
  void OnEntries(std::uint64_t id, Slice& slice, const wire::Frame& frame);
  static Section CutSection(base::Bytes& rest, const wire::FurtherBucket& told);
  base::Status TakeSection(Slice& slice, const Section& section);
  base::Status EndSection(Slice& slice, const Section& section);
  base::Status Take(Slice& slice, base::Bytes entries, const purge::Source& source);
  base::Status TakeEntry(Slice& slice, const wire::PackedEntry& entry, const purge::Source& source);
  bool MayAdopt(const Slice& slice, const Section& section) const;
  void BeginAdoption(Slice& slice, const Section& section);
  void GiveUpAdoption(Slice& slice);
  void Adopt(Slice& slice, const Section& section);
  static base::Status Advance(Slice& slice, const Section& section);
  static void EndRange(Slice& slice);
  bool MayTakeMore() const;
  bool MayGoOn() const;
  void Write(const LocalWrite& write);
  // A run that is smaller is not worth tables, nor is a value that is larger worth a copy.
  std::uint64_t RunBytesMin() const { return parts_.run_bytes / 16; }
  // Reached when the slowest slice holds the others up; then a run need not wait for it.
  std::uint64_t GatheredBytesMax() const { return 2 * parts_.run_bytes; }
  bool MayGather(const Slice& slice, std::size_t bytes);
  void Gather(const LocalWrite& write);
  bool HasGathered() const;
  bool AllStored() const;
  void EndWhoeverWaited();
  void GoOnFilling();
  void NextRun();
  base::Token ReachedIn(base::KeyspaceId keyspace);
  void SetRest(std::unique_ptr<PulledRun> rest);
  void WriteRest();
  void BeginFetch(std::uint64_t id, Slice& slice, const wire::AnnouncedValue& announced,
                  const Section& section);
  bool MayOpen(const Fetch& fetch) const;
  void AskPiece(std::uint64_t id, Slice& slice);
  void OnPiece(std::uint64_t id, Slice& slice, const wire::Frame& frame);
  void OnPieceRefused(std::uint64_t id, Slice& slice, const base::Status& why);
  void AskPieceLater(std::uint64_t id, Slice& slice, const base::Status& why);
  enum class Fetched : std::uint8_t { kWhole, kGone };
  void EndFetch(std::uint64_t id, Slice& slice, Fetched fetched);
  void NoteDamage(Slice& slice, std::uint64_t entries, const base::Status& what);
  void OnRefused(std::uint64_t id, Slice& slice, const base::Status& why);
  void SkipBucket(std::uint64_t id, Slice& slice, const base::Status& why);
  void EndSlice(std::uint64_t id, Slice& slice, const base::Status& status);
  const topology::Node* PeerOf(const Order& order) const;
  std::string HashesAt(std::size_t peer, base::KeyspaceId keyspace, std::uint8_t slice,
                       std::uint64_t salt, merkle::Generation cut);

  const RepairPullParts parts_;
  SnapshotPtr snapshot_;
  std::vector<std::unique_ptr<Order>> orders_;
  std::uint64_t fetching_bytes_ = 0;  // Of values for which memory was taken.
  base::Slab<Slice> slices_;
  std::vector<std::unique_ptr<SummaryJob>> jobs_;
  std::deque<std::uint64_t>
      held_back_;  // Slices amid a value that wait for the disk, or their turn;
  std::deque<std::uint64_t> unopened_;  // that wait for memory for one,
  std::vector<std::uint64_t> retries_;  // or for the next tick, to ask for a piece again.
  std::uint64_t taking_bytes_ = 0;      // Of entries that are not committed yet.
  // For tables; and what is written one by one, from there on, because it cannot be in one.
  std::map<base::KeyspaceId, std::unique_ptr<PulledRun>> gathered_;
  std::uint64_t gathered_bytes_ = 0;
  std::uint64_t next_run_at_ = 0;  // Bytes gathered at which the next run is looked for.
  std::unique_ptr<PulledRun> rest_;
  std::size_t rest_next_ = 0;
  std::uint64_t room_ = 0;  // That was taken of the memory for it.
  RepairStats stats_;
};

}  // namespace starling::server
