// server/purge_rounds.h: when purge rounds are begun, and with whom: the shell of purge::Round.
//
// Each interval the workers are asked where something may go. Of a set of owners, the one with the
// lowest number begins the rounds, one at a time on a node. A round is not begun while an owner is
// down, not ready, or in another epoch: that would refuse old writes for nothing. Every node
// answers the rounds of the others, through the workers that own the buckets.
//
// Thread:    confined to control.
// Read next: server/purge/round.h, server/purger.h, docs/purge.md
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/world.h"
#include "server/mail.h"
#include "server/node_shared.h"
#include "server/peer_links.h"
#include "server/repair.h"
#include "server/snapshot.h"

namespace starling::server {

inline constexpr std::uint32_t kTagPurge = 19;  // PeerTag::kind of its requests.

class PurgeRounds {
 public:
  PurgeRounds(base::World& world, NodeShared& shared, PeerLinks& links, Repair& repair);

  void Adopt(SnapshotPtr snapshot);
  void OnTick(base::Instant now);

  void OnDue(PurgeDueAnswerMail& mail);
  void OnStepDone(PurgeStepDoneMail& mail);
  void OnPeerReply(const PeerTag& tag, const wire::Frame& frame);
  void OnPeerFailed(const PeerTag& tag, const base::Status& status);
  // A peer's step: `answer` is called with the reply's payload, once.
  void Handle(base::Bytes payload, std::function<void(base::Result<std::string>)> answer);

  // What this node knows of a keyspace's rounds, as one that begins them.
  struct Standing {
    std::uint64_t rounds = 0;    // That were proved, at least in part.
    std::uint64_t unequal = 0;   // Buckets that differed in the last one.
    std::int64_t proved_ms = 0;  // The highest horizon proved, in wall ms; 0: none yet.
    std::string blocked_by;      // Of the last attempt; empty: nothing.
  };
  Standing StandingOf(base::KeyspaceId keyspace) const;
  // Owners of any of the keyspace's buckets that keep it from being purged, each with the reason.
  std::vector<std::string> Blockers(base::KeyspaceId keyspace) const;

 private:
  // One of our workers' answers to a step.
  struct Gather {
    unsigned missing = 0;
    purge::Report report;
    std::map<std::uint64_t, std::vector<std::size_t>> places;  // By mail: where its digests go.
    base::Status status;
    std::function<void(base::Result<std::string>)> answer;
  };

  void AskWhatIsDue();
  void MakePlans();
  void BeginNext();
  void Send(base::NodeNumber owner, purge::Step step, const std::vector<std::uint16_t>& buckets);
  void OnAnswer(base::NodeNumber owner, const base::Result<std::string>& answer);
  void Conclude();
  std::string Obstacle(std::size_t node) const;
  bool TakesPart(std::size_t node) const;
  std::string TooFew(std::span<const std::uint16_t> replicas) const;
  std::size_t IndexOf(base::NodeNumber number) const;

  base::World& world_;
  NodeShared& shared_;
  PeerLinks& links_;
  Repair& repair_;
  SnapshotPtr snapshot_;

  base::Instant next_;
  std::uint64_t serial_ = 0;
  std::uint64_t due_serial_ = 0;
  unsigned due_missing_ = 0;  // Workers that have not said what is due.
  std::map<base::KeyspaceId, std::vector<std::uint16_t>> due_;
  std::uint64_t horizon_ = 0;  // Of the plans.
  std::deque<purge::Plan> plans_;
  std::optional<purge::Round> round_;
  std::uint64_t round_serial_ = 0;
  base::Instant round_ends_;
  std::map<base::KeyspaceId, Standing> standings_;
  std::map<std::uint64_t, std::uint64_t> mails_;  // A mail's serial: its gather.
  std::map<std::uint64_t, Gather> gathers_;
};

}  // namespace starling::server
