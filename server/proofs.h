// server/proofs.h: up to when all replicas of each of our ranges are proved equal.
//
// Comparisons (server/repair.h) are with one peer at a time, at cuts of their own. A proof is of
// all replicas at one cut: this node adds up each of its ranges as of it, and asks every other
// replica whether it has the same. Where all do, a record is written; it stays when the node
// restarts, and counts while the range has the same replicas. What differs is left to repair.
//
// Thread:    confined to control.
// Read next: server/range_proof.h, docs/repair.md
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/world.h"
#include "server/mail.h"
#include "server/node_shared.h"
#include "server/peer_links.h"
#include "server/range_proof.h"
#include "server/snapshot.h"

namespace starling::server {

inline constexpr std::uint32_t kTagProve = 18;  // PeerTag::kind of its requests.

class Proofs {
 public:
  // Writes a batch, synced, and calls back.
  using Persist = std::function<void(std::unique_ptr<storage::Batch>, std::function<void()> then)>;
  Proofs(base::World& world, NodeShared& shared, PeerLinks& links, Persist persist);

  // What an earlier run has proved. Fails with Corruption or Io.
  base::Status Load();
  void Adopt(SnapshotPtr snapshot) { snapshot_ = std::move(snapshot); }
  void OnTick(base::Instant now);

  void OnSums(const RangeSumsMail& mail);
  void OnPeerReply(const PeerTag& tag, const wire::Frame& frame);
  void OnPeerFailed(const PeerTag& tag, const base::Status& status);
  // A peer wants to prove: `answer` is called with the reply's payload.
  void HandleQuestion(base::NodeNumber peer, base::Bytes question,
                      const std::function<void(base::Result<std::string>)>& answer);

  // Of one of our ranges, with its replicas as they are; null: none yet.
  const RangeProof* Find(base::KeyspaceId keyspace, const topology::Range& range) const;
  // What kept the last round from proving it; empty: nothing.
  std::vector<std::string> BlockedBy(base::KeyspaceId keyspace, const topology::Range& range) const;
  // The range of ours whose proof is the oldest; null when one has none, or there is no range.
  const RangeProof* Oldest() const;

 private:
  using Place = std::pair<base::KeyspaceId, std::uint16_t>;  // A range, by its first bucket.
  struct Gathered {
    merkle::Generation oldest = INT64_MIN;
    bool one_epoch = true;   // All workers are in control's.
    std::size_t unmade = 0;  // Slices whose trees are being made anew: no sums.
    RangeSums sums;
  };
  struct Gather {
    unsigned missing = 0;
    std::uint64_t epoch = 0;
    Gathered all;
    std::function<void(const Gathered&)> then;
  };
  struct Round {
    std::uint64_t serial = 0;
    std::uint64_t epoch = 0;
    merkle::Generation cut = 0;
    base::Instant ends;
    RangeSums sums;
    std::map<base::NodeNumber, std::vector<Place>> asked;  // Not answered yet.
    std::map<Place, std::set<base::NodeNumber>> equal;
    std::map<Place, std::vector<std::string>> blocked;
  };

  static constexpr base::Duration kRoundMax = base::seconds(10);
  static constexpr std::size_t kReplicasMax = 16;

  void GatherSums(merkle::Generation cut, std::function<void(const Gathered&)> then);
  void Begin();
  void Ask(const Gathered& gathered);
  void OnAnswer(base::NodeNumber peer, base::Bytes answer);
  void NoAnswer(base::NodeNumber peer, const std::string& why);
  void EndRound();
  // Calls visit(keyspace, range) for those that this node replicates.
  template <typename Visit>
  void ForEachRange(Visit&& visit) const;
  std::vector<base::NodeNumber> NumbersOf(const topology::Range& range) const;
  std::string NameOf(base::NodeNumber number) const;

  base::World& world_;
  NodeShared& shared_;
  PeerLinks& links_;
  const Persist persist_;
  SnapshotPtr snapshot_;
  std::map<Place, RangeProof> proofs_;
  std::map<Place, std::vector<std::string>> blocked_;  // As of the last round.
  std::map<std::uint64_t, Gather> gathers_;
  std::unique_ptr<Round> round_;
  base::Instant due_{};
  std::uint64_t serial_ = 0;
};

}  // namespace starling::server
