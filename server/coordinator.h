// server/coordinator.h: one key's put or get, from the client's request to its answer.
//
// Runs on the worker that owns the key, at whichever node the client asked. A put is stamped, sent
// to all replicas that are up, acknowledged, stamped again or given up as server/quorum.h decides,
// and leaves a hint for each replica that never answered. A get asks as many replicas as its level
// needs, one of them for the value, and repairs those behind before it answers.
//
// Thread:    confined to its worker.
// Read next: server/quorum.h, server/replica.h, ../docs/consistency.md
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/hybrid_clock.h"
#include "base/slab.h"
#include "base/timers.h"
#include "base/world.h"
#include "server/compare_soon.h"
#include "server/config.h"
#include "server/hints.h"
#include "server/memory_share.h"
#include "server/peer_links.h"
#include "server/peer_marks.h"
#include "server/quorum.h"
#include "server/replica.h"
#include "server/replier.h"
#include "server/silent_peers.h"
#include "server/snapshot.h"
#include "server/spread_writes.h"
#include "server/stats.h"
#include "server/watermarks.h"

namespace starling::server {

// PeerTag::kind of requests that are the coordinator's.
inline constexpr std::uint32_t kTagPut = 1;
inline constexpr std::uint32_t kTagGet = 2;
inline constexpr std::uint32_t kTagHandled = 8;

struct CoordinatorParts {
  base::World& world;
  const Config& config;
  Replica& replica;
  PeerLinks& links;
  Hints& hints;
  Replier& replier;
  MemoryShare& memory;
  CompareSoon& compare_soon;
  SpreadWrites& spread;
  PeerMarks& peer_marks;
};

class Coordinator {
 public:
  explicit Coordinator(const CoordinatorParts& parts);
  ~Coordinator();

  void Adopt(SnapshotPtr snapshot) { snapshot_ = std::move(snapshot); }
  void SetClock(base::HybridClock* clock) { clock_ = clock; }

  // REQUIRES: a snapshot and a clock are there; the keyspace exists in the snapshot.
  void Put(const ReplyTo& reply, const wire::PutRequest& request, base::Token token,
           base::Bytes value);
  void Get(const ReplyTo& reply, const wire::GetRequest& request, base::Token token);

  // What came of it at the local replica, and at the others.
  bool OnStamp(const Ticket& ticket, const base::Version& held, storage::EntryHeader* header);
  void OnLocalWrite(const Ticket& ticket, wire::WriteOutcome outcome, const base::Version& held);
  void OnLocalRead(const Ticket& ticket, const base::Status& error,
                   const storage::EntryHeader& header, base::Bytes value, std::uint64_t purged);
  void OnPeerReply(const PeerTag& tag, const wire::Frame& frame);
  void OnPeerFailed(const PeerTag& tag, const base::Status& status);

  void OnWake(base::Instant now);
  // Tells replicas what is handled, where no write does, and sees who is silent. To be called now
  // and then.
  void OnTick(base::Instant now);
  base::Instant next_wake() const { return std::min(put_timers_.next(), get_timers_.next()); }

  std::size_t in_flight() const { return puts_.size() + gets_.size(); }
  const WorkerStats& stats() const { return stats_; }

 private:
  struct PutOp;
  struct GetOp;
  struct SentWrite {
    base::NodeNumber peer = 0;
    std::uint64_t number = 0;
  };
  // Writes whose hints wait for their sync.
  struct Hinted {
    std::uint64_t commit = 0;
    std::vector<SentWrite> writes;
  };

  // Common to both.
  bool Admit(RequestStats& stats, const ReplyTo& reply, std::size_t bytes);
  void RefuseForMemory(RequestStats& stats, const ReplyTo& reply, std::string why);
  base::Duration Deadline(std::uint32_t asked_ms, base::Duration standard) const;
  PeerAddress AddressOf(std::uint16_t node) const;
  void Refuse(RequestStats& stats, const ReplyTo& reply, wire::Consistency level,
              base::KeyspaceId keyspace, const Requirement& requirement, ReplicaMask up,
              ReplicaMask full = 0);
  void NoteMark(const Snapshot& snapshot, std::uint16_t node, const Mark& mark);
  base::Duration Since(base::Instant began) const { return parts_.world.Now() - began; }
  std::int64_t StampWall() const;

  // Puts: server/coordinator_put.cc
  static void Stamp(PutOp& op, const base::Version& stamp);
  void Dispatch(std::uint64_t id, PutOp& op);
  void DispatchUnseen(std::uint64_t id, PutOp& op);
  void RefuseStamp(std::uint64_t id, PutOp& op, const base::Version& held);
  void SendWrite(std::uint64_t id, PutOp& op, int replica);
  void OnOutcome(std::uint64_t id, int replica, std::uint64_t attempt, wire::WriteOutcome outcome,
                 const base::Version& held);
  void Decide(std::uint64_t id, PutOp& op);
  void StampAgain(std::uint64_t id, PutOp& op);
  void AnswerPut(PutOp& op);
  void Spread(const PutOp& op);
  void TimeOutPut(PutOp& op, std::string_view why);
  void StoreHints(PutOp& op, ReplicaMask targets);
  void EndPut(std::uint64_t id, PutOp& op);
  void MarkHandled(const std::vector<SentWrite>& writes);

  // Gets: server/coordinator_get.cc, server/coordinator_retry.cc
  void Ask(std::uint64_t id, GetOp& op, int replica, bool want_value);
  bool AskAnother(std::uint64_t id, GetOp& op);
  void ProbeSilent(std::uint64_t id, GetOp& op);
  void OnReplicaFailed(std::uint64_t id, GetOp& op, int replica);
  void RetryLater(std::uint64_t id, GetOp& op);
  void Retry(std::uint64_t id, GetOp& op);
  void RetryAmongNewOwners(std::uint64_t id, GetOp& before);
  void StartOver(std::uint64_t id, GetOp& op);
  void Place(GetOp& op, const ReplicaSet& replicas, const Requirement& requirement) const;
  void OnHolds(std::uint64_t id, GetOp& op, int replica, const storage::EntryHeader& header,
               bool has_value, base::Bytes value, std::uint64_t epoch, std::uint64_t purged);
  static void Weigh(GetOp& op);
  bool KeepValue(std::uint64_t id, GetOp& op, base::Bytes value);
  void Step(std::uint64_t id, GetOp& op);
  void FetchValue(std::uint64_t id, GetOp& op);
  void RepairBehind(std::uint64_t id, GetOp& op);
  void SendRepair(std::uint64_t id, GetOp& op, int replica);
  void OnRepairOutcome(std::uint64_t id, GetOp& op, int replica, std::uint64_t round,
                       wire::WriteOutcome outcome, const base::Version& held);
  void AnswerGet(std::uint64_t id, GetOp& op);
  void FailGet(std::uint64_t id, GetOp& op, base::Code code, std::string_view why);
  void EndGet(std::uint64_t id, GetOp& op);

  // Constant after construction.
  const CoordinatorParts parts_;

  SnapshotPtr snapshot_;
  base::HybridClock* clock_ = nullptr;
  base::Slab<PutOp> puts_;
  base::Slab<GetOp> gets_;
  Watermarks watermarks_;
  std::vector<Mark> marks_;  // By index in the topology's nodes: as last noted for all workers.
  SilentPeers silent_;
  std::deque<Hinted> hinted_;  // Oldest commit first.
  base::Timers put_timers_;    // Deadlines.
  base::Timers get_timers_;    // Deadlines and speculative retries.
  WorkerStats stats_;
};

}  // namespace starling::server
