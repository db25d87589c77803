// server/quorum.h: when a write is acknowledged, stamped again or given up, and when a read is
// sure.
//
// The rules of design section 9, found with the model of re-stamping, as pure functions over what
// the replicas of one key have answered for one stamp. Replicas are bits in the order of the ring.
//
// Thread:    values.
// Read next: server/coordinator.h, tests/server/quorum_test.cc
#pragma once

#include <bit>
#include <cstdint>
#include <string>

#include "base/version.h"
#include "server/topology/topology.h"
#include "server/wire/limits.h"
#include "server/wire/peer_messages.h"

namespace starling::server {

using ReplicaMask = std::uint32_t;
static_assert(topology::kReplicasMax <= 32, "a bit of ReplicaMask for each replica of a key");
static_assert(topology::kReplicasMax == wire::kReplicasMax);

inline int CountOf(ReplicaMask mask) { return std::popcount(mask); }

// What a level asks of the replicas of one key.
struct Requirement {
  ReplicaMask counted = 0;  // The replicas whose answers count: all, or those of our datacenter.
  int needed = 0;           // How many of them must answer.
  int majority = 0;         // A majority of the counted.
  bool confirm = false;     // A read must be confirmed by a majority (QUORUM and above).

  // How many could answer, when these are up?
  bool reachable(ReplicaMask up) const { return CountOf(up & counted) >= needed; }
};

// `all`: the key's replicas; `local`: those in the coordinator's datacenter.
Requirement RequirementOf(wire::Consistency level, ReplicaMask all, ReplicaMask local);

// The answers to one stamp of one write.
class WriteTally {
 public:
  WriteTally() = default;
  WriteTally(Requirement requirement, ReplicaMask all) : requirement_(requirement), all_(all) {}

  void OnOk(int replica) { ok_ |= Bit(replica); }
  void OnNeverHeld(int replica) { never_held_ |= Bit(replica); }
  void OnUnknown(int replica) { unknown_ |= Bit(replica); }
  void OnFailed(int replica) { failed_ |= Bit(replica); }

  enum class Verdict : std::uint8_t {
    kWait,
    kAcknowledge,
    kStampAgain,  // It was never effective, and never will be: a higher stamp is the same write.
    kGiveUp,      // No answer that may still come can change it: the outcome is unknown.
  };
  // `may_stamp_again`: we stamped it first, and have not answered.
  Verdict Decide(bool may_stamp_again) const;

  ReplicaMask ok() const { return ok_; }
  // After kGiveUp, for people: what those said that did not take it.
  std::string WhyGivenUp() const;
  // Each replica has answered or failed.
  bool settled() const { return (all_ & ~(ok_ | never_held_ | unknown_ | failed_)) == 0; }
  // Those that are not known to hold it or something later.
  ReplicaMask missing() const { return all_ & ~(ok_ | never_held_ | unknown_); }

 private:
  static ReplicaMask Bit(int replica) { return ReplicaMask{1} << replica; }

  Requirement requirement_;
  ReplicaMask all_ = 0;
  ReplicaMask ok_ = 0;
  ReplicaMask never_held_ = 0;
  ReplicaMask unknown_ = 0;
  ReplicaMask failed_ = 0;
};

// The answers to one read: which version is highest, and who holds exactly it.
class ReadTally {
 public:
  ReadTally() = default;
  explicit ReadTally(Requirement requirement) : requirement_(requirement) {}

  // A replica holds `version` (empty: nothing). Also what a repair it superseded answered.
  void OnHolds(int replica, const base::Version& version);
  // A repair of the target was taken: the replica holds, or lately held, exactly it.
  void OnRepaired(int replica, const base::Version& version);
  void OnFailed(int replica) { failed_ |= ReplicaMask{1} << replica; }

  const base::Version& target() const { return target_; }
  ReplicaMask holders() const { return ok_; }  // Of exactly the target.
  ReplicaMask answered() const { return answered_; }
  // Answered, and with an older version than the target.
  ReplicaMask behind() const { return answered_ & ~ok_; }
  ReplicaMask failed() const { return failed_; }

  bool enough_answers() const {
    return CountOf(answered_ & requirement_.counted) >= requirement_.needed;
  }
  // The target may be returned.
  bool sure() const;
  // Not enough of the `readable` are left to ever be sure, unless one that failed recovers.
  bool hopeless(ReplicaMask readable) const {
    return CountOf(requirement_.counted & readable & ~failed_) < requirement_.needed;
  }

 private:
  Requirement requirement_;
  ReplicaMask answered_ = 0;
  ReplicaMask ok_ = 0;
  ReplicaMask failed_ = 0;
  base::Version target_;
};

}  // namespace starling::server
