// server/replica.h: this worker's part of the data: entries, their old versions, and the trees.
//
// Operations are queued during a turn and carried out at its end: one MultiGet for all old versions
// (over what is not committed yet), then one batch with the entries and the leaves of
// the tree that they changed, for the committer. Operations on a key take effect in order: while
// its old version is being fetched from disk, later ones queue behind it. An answer that shows an
// entry waits for the commit that covers it. What a turn may answer is bounded: the operations that
// are over it stay in their order for the next.
//
// Thread:    confined to its worker.
// Ownership: copies what it is given before the call returns.
// Its parts: replica.cc (the turn), replica_read.cc, replica_apply.cc (what becomes of a write),
//            replica_purge.cc, replica_commit.cc, replica_trees.cc, replica_fill.cc
// Read next: server/worker.h, server/coordinator.h
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "base/world.h"
#include "merkle/history.h"
#include "merkle/journal.h"
#include "server/arena.h"
#include "server/committer.h"
#include "server/fresh_keys.h"
#include "server/held_memory.h"
#include "server/local_write.h"
#include "server/pulled_run.h"
#include "server/purge/dead.h"
#include "server/purge/marks.h"
#include "server/purge/rules.h"
#include "server/tree_making.h"
#include "server/tree_page.h"
#include "server/uncommitted.h"
#include "server/wire/peer_messages.h"
#include "storage/engine.h"
#include "storage/entry.h"

namespace starling::server {

// Takes an entry away, if it is still the one that `header` says.
struct LocalRemoval {
  base::KeyspaceId keyspace = 0;
  base::Token token = 0;
  base::Bytes stored_key;
  storage::EntryHeader header;
  // It goes to the quarantine, with this value, instead of being forgotten.
  bool quarantine = false;
  base::Bytes value;
  Ticket ticket;
};

struct LocalRead {
  base::KeyspaceId keyspace = 0;
  base::Token token = 0;
  base::Bytes key;
  bool want_value = false;
  Ticket ticket;
};

class ReplicaListener {
 public:
  // Completes the header of `ticket`'s write with a version above `held`. False: nobody waits for
  // the write any more, and it is dropped.
  virtual bool OnStamp(const Ticket& ticket, const base::Version& held,
                       storage::EntryHeader* header) = 0;
  // With kRefused, `error` says why; else it is ok. Of a removal and of Notify: once it is
  // committed.
  virtual void OnLocalWrite(const Ticket& ticket, wire::WriteOutcome outcome,
                            const base::Version& held, const base::Status& error) = 0;
  // `header.version` is empty when there is no entry. `value` is valid during the call. `purged`:
  // the bucket's mark, which the answer must carry to another node's coordinator.
  virtual void OnLocalRead(const Ticket& ticket, const base::Status& error,
                           const storage::EntryHeader& header, base::Bytes value,
                           std::uint64_t purged) = 0;

 protected:
  ~ReplicaListener() = default;
};

struct ReplicaOptions {
  unsigned worker = 0;
  unsigned workers = 1;
  std::uint64_t digest_seed = 0;  // The cluster's token seed.
  bool began_empty = false;       // HoldsNothing said so (server/fresh_keys.h).
  std::size_t held_notes_max = 1 << 18;
  // Of values answered in a turn. Higher: fewer turns for large values; lower: less waits to be
  // sent at once.
  std::size_t turn_bytes_max = 16 << 20;
  // Of keys and values of writes that wait for their turn or their commit.
  std::uint64_t write_bytes_max = 256 << 20;
  merkle::JournalOptions journal{};  // But for its stream: that is the worker.
  // Of the tables of a run, on the average: if they would be smaller, they are none.
  std::size_t table_bytes_min = 1 << 20;
  // Only deletes are taken while it is true. Null: never. Outlives the replica.
  const std::atomic<bool>* disk_full = nullptr;
  // No run is taken while it is false. Null: always. Outlives the replica.
  const std::atomic<bool>* room_for_runs = nullptr;
};

class Replica final : public storage::GetSink {
 public:
  Replica(base::World& world, storage::Engine& engine, Committer& committer,
          ReplicaListener& listener, ReplicaOptions options);
  ~Replica();

  // Loads the pages of this worker's slices, but for those that are to be made anew: what is
  // stored of these goes with the first batch. Fails with Corruption or Io. REQUIRES: FoldTrees
  // (server/stored_trees.h) has left nothing but pages.
  base::Status Load();

  void Write(const LocalWrite& write);
  void Remove(const LocalRemoval& removal);
  void Read(const LocalRead& read);

  // --- purge (docs/purge.md) ---
  // The epoch that this worker acts in: repair at or below `closed` is taken in no other.
  void SetEpoch(std::uint64_t epoch) { epoch_ = epoch; }
  purge::Mark MarkOf(base::KeyspaceId keyspace, std::uint16_t bucket) const {
    return marks_.Of(keyspace, bucket);
  }
  const purge::Marks& marks() const { return marks_; }
  // Whether it is this worker's.
  bool Owns(std::uint16_t bucket) const {
    return base::WorkerOf(bucket, options_.workers) == options_.worker;
  }
  purge::DeadCounts& dead() { return dead_; }
  // Each rises with this turn's batch. What is refused, is refused from now on.
  void Close(base::KeyspaceId keyspace, std::uint16_t bucket, std::uint64_t horizon);
  void RaisePurged(base::KeyspaceId keyspace, std::uint16_t bucket, std::uint64_t horizon);
  // What may go at the horizon is being removed from the bucket: repair does not bring it back
  // meanwhile. 0: no more.
  void SetRemoving(base::KeyspaceId keyspace, std::uint16_t bucket, std::uint64_t horizon);
  // Tells `ticket` once all that was carried out before this call is committed.
  void Notify(const Ticket& ticket);
  merkle::Digest LeafOf(base::KeyspaceId keyspace, std::uint16_t bucket) const;
  // For hints and other records that ride along with this turn's batch.
  storage::Batch& batch();
  // The newest commit: after batch(), the one that writes it. And whether one has been written.
  std::uint64_t last_commit() const { return last_commit_; }
  bool Committed(std::uint64_t commit) { return FindCommit(commit) == nullptr; }
  // Whether a write may still wait for its turn and its commit beside the others. One is always
  // taken while they are few. Hints, which pace themselves by page, do not ask.
  bool HasRoom(std::size_t bytes) const {
    return write_bytes_ + bytes <= options_.write_bytes_max || HasRoomForRepair();
  }
  // Whether repair may hand over another page: the rest is for those who wait for an answer.
  bool HasRoomForRepair() const { return write_bytes_ <= options_.write_bytes_max / 4; }
  // What to tell whoever was refused.
  std::string Refusal() const;
  // Puts are refused as kUnavailable, hints are not kept, and repair does not pull.
  bool disk_full() const {
    return options_.disk_full != nullptr && options_.disk_full->load(std::memory_order_relaxed);
  }

  // --- runs of pulled entries that become tables of their own (server/replica_fill.cc) ---
  // One is under way at a time, and what is left of the last one comes first.
  bool MayFill() const;
  bool room_for_runs() const {
    return options_.room_for_runs == nullptr ||
           options_.room_for_runs->load(std::memory_order_relaxed);
  }
  // Takes the entries as if they were written now. REQUIRES: MayFill().
  void StartFill(std::unique_ptr<PulledRun> fill);
  bool fill_under_way() const { return filling_ != nullptr; }
  // Once it is done: those to be written one by one, because something is stored of their keys, or
  // they could not become tables. Null: none. The adoptions of the others are told by kPull
  // tickets.
  std::unique_ptr<PulledRun> TakeRest();
  // Entries of the bucket may be stored that its leaf lacks.
  bool FillsBucket(base::KeyspaceId keyspace, std::uint16_t bucket) const;

  // Carries out what is queued, and hands the batch over. Answers may queue more: call again until
  // it returns false.
  bool RunTurn();

  const merkle::Tree* TreeOf(base::KeyspaceId keyspace) const;
  // The digests of this worker's slices, now and as of cuts from OldestCut on. Null: nothing was
  // ever written to the keyspace here.
  merkle::History* HistoryOf(base::KeyspaceId keyspace);
  // The start is the oldest: what was on disk then is in every cut's digest.
  merkle::Generation OldestCut(base::KeyspaceId keyspace) const;
  // Lets go of what only older cuts need than are asked for. To be called now and then.
  void ForgetCuts();
  std::size_t cut_bytes() const;  // What is kept to answer for cuts.
  // --- trees that are made anew (server/tree_making.h) ---
  // While a slice is not made, its leaves and counts say nothing.
  const TreeMaking& making() const { return making_; }
  // The page that a step's beginning asks for is read afterwards, and ends the step.
  TreeMaking::Step BeginTreeStep();
  void EndTreeStep(std::uint8_t slice, const TreePage& page);
  bool GiveUpTreeStep() { return making_.GiveUp(); }  // As of TreeMaking.
  HeldMemory& held_memory() { return held_; }
  std::uint64_t digest_seed() const { return options_.digest_seed; }
  void SetDigestSeed(std::uint64_t seed) { options_.digest_seed = seed; }

  struct Counters {
    std::uint64_t writes = 0;
    std::uint64_t superseded = 0;
    std::uint64_t reads = 0;
    std::uint64_t fetches = 0;  // Old versions that were not in memory.
    std::uint64_t commits = 0;
    std::uint64_t too_old = 0;      // Writes at or below `closed`, refused.
    std::uint64_t removed = 0;      // Entries that were purged,
    std::uint64_t quarantined = 0;  // and those that no other owner had.
    std::uint64_t filled = 0;       // Of the writes, those that came as tables.
  };
  const Counters& counters() const { return counters_; }

 private:
  static constexpr std::size_t kSpareCommits = 8;
  // How many generations older than the newest cut are kept: whoever named a cut may take so many
  // seconds to come back to it.
  static constexpr merkle::Generation kCutsKept = 5;
  static constexpr std::size_t kSpareBytesMax = 4 << 20;  // A larger batch is not kept.
  // Keys of one lookup, whose values are in memory at once; and reads from disk at once.
  static constexpr std::size_t kLookupKeysMax = 64;
  static constexpr std::size_t kFetchesMax = 256;
  static constexpr std::size_t kFetchesMin = 4;

  struct Operation {
    bool is_write = false;
    bool removes = false;
    bool quarantine = false;
    bool want_value = false;
    bool stamp = false;
    base::KeyspaceId keyspace = 0;
    base::Token token = 0;
    base::Bytes stored_key;  // As in storage: prefix and key.
    storage::EntryHeader header;
    base::Bytes value;
    purge::Source source;
    Ticket ticket;
    std::unique_ptr<char[]> owned;  // Backs the views once it waits for longer than its turn.
  };
  // What a lookup gave, for an operation of this turn.
  struct Known {
    storage::Found found = storage::Found::kAbsent;
    storage::EntryHeader header;
    base::Bytes value;  // In values_.
    base::Status error;
  };
  struct Release {
    Ticket ticket;
    wire::WriteOutcome outcome{};
    base::Version held;
  };
  struct Commit;
  struct Fetch;
  struct Filling;
  struct BytesHash {
    using is_transparent = void;
    std::size_t operator()(base::Bytes bytes) const { return base::Hash64(bytes); }
  };
  using FetchMap =
      std::unordered_map<std::string, std::unique_ptr<Fetch>, BytesHash, std::equal_to<>>;

  void OnFound(std::size_t asked, storage::Found found, base::Bytes value,
               const base::Status& error) override;
  // Copies the bytes an operation looks at into its own keeping.
  static void Own(Operation& operation);
  static std::size_t BytesOf(const Operation& operation) {
    return operation.stored_key.size() + operation.value.size();
  }
  void RunSome();
  void EndTurn();
  bool TurnIsFull() const { return turn_bytes_ >= options_.turn_bytes_max; }
  void PutFirst(std::vector<Operation>& operations, std::size_t from);
  // How many values, of the size that they lately had, a turn may answer.
  std::size_t ExpectedCount() const {
    return options_.turn_bytes_max / std::max<std::size_t>(value_bytes_, 1);
  }
  void NoteValue(std::size_t bytes) { value_bytes_ = std::max(value_bytes_, bytes); }
  void AnswerRead(const Operation& operation, const storage::EntryHeader& header,
                  base::Bytes value);
  void Execute(Operation& operation, const Known& known);
  // `covering`: the commit that has what is known, or 0.
  void ExecuteWrite(Operation& operation, const storage::EntryHeader& old, std::uint64_t covering);
  void Apply(const Operation& operation, const storage::EntryHeader& old);
  void Erase(const Operation& operation, const storage::EntryHeader& old);
  void NoteUncommitted(base::Bytes stored_key, const storage::EntryHeader& header, Commit& commit);
  void RefuseTooOld(const Operation& operation, std::uint64_t closed);
  std::uint64_t RemovingIn(base::KeyspaceId keyspace, std::uint16_t bucket) const;
  base::Status LoadUnmade();
  base::Status LoadPurge();
  void AnswerWrite(const Operation& operation, wire::WriteOutcome outcome,
                   const base::Version& held, std::uint64_t covering_commit);
  Commit* FindCommit(std::uint64_t number);
  void WaitForCommit(std::uint64_t number, Operation& operation);
  void StartFetch(Operation& operation);
  void OffloadFetches();
  void OnFetched(Fetch& fetch);
  void GoOnFilling();
  void OnFilled();
  void OnCommitted(Commit& commit);
  void ReadAgain(Operation& operation);
  Commit& OpenCommit();
  void HandOver();
  merkle::History& HistoryFor(base::KeyspaceId keyspace);
  // Each is a cache miss, and all wait for one another: they are fetched at once.
  void PrefetchLeaves(std::span<const Operation> operations);
  std::int64_t ArrivalMs();
  base::Hash128Value KeyHashOf(base::Bytes stored_key) const;
  merkle::Digest DigestOf(const base::Hash128Value& key_hash,
                          const storage::EntryHeader& header) const;
  void CountChange(const Operation& operation, const storage::EntryHeader& now,
                   const storage::EntryHeader& old);
  void CountMade(base::Bytes stored_key, const storage::EntryHeader& header,
                 const merkle::Digest& digest);
  void DropDamaged(base::Bytes stored_key);

  // Constant after construction.
  base::World& world_;
  storage::Engine& engine_;
  Committer& committer_;
  ReplicaListener& listener_;
  ReplicaOptions options_;

  // The turn.
  Arena arena_;
  std::vector<Operation> queue_;
  std::vector<Operation> running_;  // Older than queue_.
  std::size_t next_ = 0;            // The first in running_ that was not carried out yet.
  std::deque<Operation> again_;     // Reads that waited for a commit, past what is uncommitted.
  std::vector<base::Bytes> keys_;   // That are looked up,
  std::vector<std::size_t> asked_;  // and which of this lookup's operations each is of.
  std::vector<Known> known_;
  Arena values_;                   // Of one lookup.
  std::size_t lookup_bytes_ = 0;   // In values_.
  std::size_t cut_ = 0;            // The first of the lookup whose value had no room there.
  std::size_t turn_bytes_ = 0;     // Of values answered.
  bool ran_ = false;               // Some of the queue was carried out in this turn.
  std::size_t value_bytes_ = 0;    // The largest value found lately.
  std::uint64_t write_bytes_ = 0;  // Of the writes queued, being fetched for, and committing.

  std::map<base::KeyspaceId, std::unique_ptr<merkle::History>> histories_;
  merkle::Journal journal_;           // Of what changes in them.
  merkle::Generation first_cut_ = 0;  // As of the start.
  std::int64_t arrival_ms_ = 0;       // Wall time, but that it never goes back.
  purge::Marks marks_;
  purge::DeadCounts dead_;
  TreeMaking making_;
  std::map<std::pair<base::KeyspaceId, std::uint16_t>, std::uint64_t> removing_;
  std::uint64_t epoch_ = 0;
  HeldMemory held_;
  Uncommitted uncommitted_;
  FreshKeys fresh_;
  FetchMap fetching_;
  std::deque<Fetch*> fetch_queue_;  // Of those, the ones not offloaded yet.
  std::size_t fetches_running_ = 0;
  std::unique_ptr<Filling> filling_;
  std::unique_ptr<PulledRun> rest_;                 // Of the last fill.
  std::unique_ptr<Commit> open_;                    // Filled by this turn.
  std::deque<std::unique_ptr<Commit>> committing_;  // Handed over, oldest first.
  std::vector<std::unique_ptr<Commit>> spare_;      // Kept for their buffers.
  std::uint64_t last_commit_ = 0;
  Counters counters_;
};

}  // namespace starling::server
