// server/topology/paxos.h: how one epoch is chosen: single-decree Paxos among the voters.
//
// Epoch e+1 is one instance of Paxos (Lamport, "Paxos Made Simple", 2001) among the voters that
// epoch e names; epoch 1 is one among the seeds (founding.h). The value is an encoded topology. A
// voter that knows the epoch already answers with it instead of voting, and a voter that lags is
// first told the epoch before. Nothing here leads or is leased: any node may propose at any time,
// and whoever loses the round rebases its change on what was chosen and proposes the next epoch.
//
// Two proposers never share a ballot, even one that restarts: the low half of a round is random.
//
// Two processes may share a host id: a copy of a data directory that was started elsewhere while
// its original was frozen. Both would promise and accept in one name, and two majorities need not
// meet any more. So a vote is of a host in a place: on epoch e+1 a proposer counts a voter from
// where epoch e notes it alone, which all who propose e+1 agree on; or from elsewhere, once it
// found that nobody is left there (server/moving.h: its port is closed, another node's, or silent
// for as long as takes gossip to call a member dead). (A boot number would not do: a directory that
// was left behind has the higher one once it was started often enough.)
//
// Thread:    confined. Ownership: copies only.
// Read next: acceptor.cc and proposer.cc for the rules, tests/server/topology/elections_test.cc for
//            what they withstand
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/host_id.h"
#include "base/random.h"
#include "base/status.h"
#include "base/time.h"
#include "server/topology/topology.h"

namespace starling::topology {

struct Ballot {
  std::uint64_t round = 0;  // Attempt << 32 | chance. 0: none.
  base::HostId proposer;

  auto operator<=>(const Ballot&) const = default;
  bool empty() const { return round == 0; }
};

struct PaxosRequest {
  enum class Kind : std::uint8_t { kPrepare = 1, kAccept, kLearn };

  Kind kind = Kind::kPrepare;
  std::uint64_t epoch = 0;
  Ballot ballot;                     // Empty in kLearn.
  std::vector<base::HostId> voters;  // Sorted: who the proposer counts. Empty in kLearn.
  std::string value;                 // An encoded topology; empty in kPrepare.

  bool operator==(const PaxosRequest&) const = default;
};

struct PaxosReply {
  enum class Kind : std::uint8_t {
    kPromise = 1,  // `accepted` and `value` say what it accepted before, if anything.
    kAccepted,
    kRefused,   // It promised `promised`, which is higher.
    kRejected,  // It will not vote on this at all: `reason`.
    kBehind,    // It knows only `known_epoch`, and epoch - 1 must come first.
    kKnown,     // It knows `known_epoch`, the epoch asked for or a later one: `value`.
  };

  Kind kind = Kind::kPromise;
  base::HostId from;
  std::uint64_t epoch = 0;  // Those of the request.
  Ballot ballot;
  Ballot promised;
  Ballot accepted;
  std::string value;
  std::uint64_t known_epoch = 0;
  std::string reason;
  base::Address place{};  // Where `from` is, as it says itself. Port 0: it does not say.
  base::Address left{};   // Where it found nobody of its host id to be left. Port 0: nowhere.

  bool operator==(const PaxosReply&) const = default;
};

// What an acceptor keeps on disk (meta family), for the one epoch that it votes on.
struct AcceptorState {
  std::uint64_t epoch = 0;           // 0: it has not voted since the epoch that it knows.
  std::vector<base::HostId> voters;  // It votes among these alone, for good.
  Ballot promised;
  Ballot accepted;
  std::string value;

  bool operator==(const AcceptorState&) const = default;
};

// What the caller owes after a request, in this order.
struct Vote {
  TopologyPtr learned;     // 1. If set: newer than all that was known. Store it, and adopt it.
  bool must_sync = false;  // 2. Store Acceptor::EncodeState() too, and sync, before the reply goes.
  PaxosReply reply;        // 3. Send it. A reply that overtakes its sync breaks Paxos.
};

// The voter's side. A node has one from its first boot on, voter or not.
class Acceptor {
 public:
  // For a node without stored state. `known` is the newest topology it has, or null.
  Acceptor(base::HostId self, TopologyPtr known);
  // Fails with Corruption when `state` is not what EncodeState gave.
  static base::Result<Acceptor> Restore(base::HostId self, TopologyPtr known, base::Bytes state);

  // Answers any request. Bad input gives a kRejected reply and changes nothing.
  Vote OnRequest(const PaxosRequest& request);

  // A topology heard of by other ways (rumor, handshake). True if it is newer than what was known,
  // and of the same cluster: then the caller stores it, with EncodeState(), and adopts it.
  bool Learn(TopologyPtr topology);

  // Where this node listens, for its answers.
  void SetPlace(base::Address place) { place_ = place; }
  // Where no process has its identity any more, as far as it found. Port 0: nowhere.
  void SetLeft(base::Address left) { left_ = left; }

  std::string EncodeState() const;

  const base::HostId& self() const { return self_; }
  const TopologyPtr& known() const { return known_; }  // Null before the founding.
  const std::string& known_bytes() const { return known_bytes_; }
  // Among whom it votes on the next epoch, once it has promised anything; else empty.
  const std::vector<base::HostId>& bound_voters() const { return state_.voters; }

 private:
  std::uint64_t known_epoch() const { return known_ == nullptr ? 0 : known_->epoch; }
  PaxosReply ReplyTo(const PaxosRequest& request, PaxosReply::Kind kind) const;
  std::optional<PaxosReply> CheckTurn(const PaxosRequest& request) const;
  base::Status CheckVoters(const PaxosRequest& request) const;
  base::Status CheckValue(const PaxosRequest& request) const;
  Vote OnPrepare(const PaxosRequest& request);
  Vote OnAccept(const PaxosRequest& request);
  Vote OnLearn(const PaxosRequest& request);

  base::HostId self_;
  base::Address place_, left_;
  TopologyPtr known_;
  std::string known_bytes_;
  AcceptorState state_;
};

struct Voter {
  base::HostId host;
  base::Address address;  // Port 0: nobody knows where it is; it counts, and is never asked.
  // Its votes count from there, or once it has left there. Port 0: from wherever it is, since
  // nothing says where it should be, or too few can be there to choose anything.
  base::Address noted{};

  auto operator<=>(const Voter&) const = default;
};

struct ProposerOptions {
  base::HostId self;
  std::vector<Voter> voters;  // Those of the epoch before; of epoch 1: the seeds.
  std::uint64_t epoch = 1;
  std::string value;        // EncodeTopology of what should be chosen.
  std::string predecessor;  // EncodeTopology of the epoch before, for voters that lag; or empty.
  std::uint64_t random_seed = 0;  // Truly random in production: it keeps ballots apart.
  // Shorter finds a lost message sooner; under a voter's sync plus a round trip it never ends.
  base::Duration attempt_timeout = base::milliseconds(1000);
  // Mean wait after the nth refusal: backoff * 2^n, at most 16 times. Shorter: more duels.
  base::Duration backoff = base::milliseconds(20);
  base::Duration deadline = base::seconds(10);
};

struct Outcome {
  base::Status status;   // Ok: `chosen` is final, for epoch `topology->epoch`.
  std::string chosen;    // Encoded.
  TopologyPtr topology;  // Decoded. May be a later epoch than the one proposed.
  bool mine = false;     // Exactly the proposed value. If not: rebase on `topology`, try again.
};

// The proposer's side: one attempt to have one value chosen. Whether it is a voter does not matter;
// what it sends to its own host id, the caller hands to its own Acceptor.
class Proposer {
 public:
  struct Message {
    Voter to;
    PaxosRequest request;
  };
  struct Outputs {
    std::vector<Message> messages;  // Best effort. Also after the outcome: it tells the voters.
    base::Instant next_tick;        // OnTick() does nothing before this instant.
  };

  Proposer(ProposerOptions options, base::Instant now);

  // Takes a reply, late and doubled ones too. One that makes no sense is ignored.
  void OnReply(base::Instant now, const PaxosReply& reply);
  void OnTick(base::Instant now);

  Outputs TakeOutputs();
  // Set once, when it has ended. Fails with Unavailable (nothing was changed), Timeout (the value
  // may yet be chosen: the outcome is unknown) or FailedPrecondition (voters reject it); the
  // message names the voters that did not answer.
  const std::optional<Outcome>& outcome() const { return outcome_; }

 private:
  enum class Phase : std::uint8_t { kBackoff, kPrepare, kAccept, kDone };

  const Voter* FindVoter(base::HostId host) const;
  bool IsInPlace(const Voter& voter, const PaxosReply& reply);
  bool OfOurCluster(const Topology& topology) const;
  std::size_t majority() const { return options_.voters.size() / 2 + 1; }
  void StartAttempt(base::Instant now);
  void SendPhase(const Voter& to);
  void Broadcast();
  void OnPromise(base::Instant now, const PaxosReply& reply);
  void OnAccepted(const PaxosReply& reply);
  void OnRefused(base::Instant now, const PaxosReply& reply);
  void OnRejected(const PaxosReply& reply);
  void OnBehind(const PaxosReply& reply, const Voter& voter);
  void OnKnown(const PaxosReply& reply);
  void BackOff(base::Instant now);
  void Choose(std::string value);
  void Fail();
  std::string Silent() const;

  const ProposerOptions options_;
  std::vector<base::HostId> voter_hosts_;  // Sorted.
  std::string cluster_name_;
  base::HostId cluster_id_;  // Empty in epoch 1, which is what chooses it.
  const base::Instant deadline_;
  base::Random random_;

  Phase phase_ = Phase::kBackoff;
  base::Instant phase_end_;
  std::uint32_t attempts_ = 0;
  std::uint64_t round_seen_ = 0;  // The highest that a voter named.
  bool own_value_sent_ = false;   // An accept with our value has left: it may be chosen later.
  std::map<base::HostId, std::string> rejected_;     // Why, by voter. Kept over attempts.
  std::map<base::HostId, std::uint32_t> answered_;   // In which attempt last, by voter.
  std::map<base::HostId, base::Address> elsewhere_;  // Voted from there, which does not count.

  // Of the present attempt.
  Ballot ballot_;
  std::string value_;
  Ballot value_ballot_;               // Under which `value_` was accepted before, if it was.
  std::set<base::HostId> agreed_;     // Promised or accepted, in the present phase.
  std::set<base::HostId> refused_;    // In the present phase.
  std::set<base::HostId> caught_up_;  // Were sent the epoch before.

  Outputs outputs_;
  std::optional<Outcome> outcome_;
};

}  // namespace starling::topology
