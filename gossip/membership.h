// gossip/membership.h: who is in the cluster, in which state, and what of it to pass on.
//
// The member table of SWIM: it takes claims, orders them (gossip/member.h), weighs
// accusations (gossip/suspicion.h), runs the time to refute, answers accusations of this node, and
// queues what others need to hear. It sends nothing and probes nobody; gossip/prober.h finds out
// who is silent.
//
// Thread:    confined to one thread.
// Ownership: keeps copies.
// Read next: gossip/prober.h
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "gossip/deadlines.h"
#include "gossip/guards.h"
#include "gossip/local_health.h"
#include "gossip/message.h"
#include "gossip/options.h"
#include "gossip/outputs.h"
#include "gossip/peer_ring.h"
#include "gossip/update_queue.h"

namespace starling::gossip {

class Membership {
 public:
  // The references outlive this.
  Membership(const GossipOptions& options, MemberInfo self, base::Random& random, Outputs& outputs,
             Counters& counters);
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  enum class Source : std::uint8_t {
    kGossip,  // In a datagram: news, made lately.
    kSync,    // From another's whole table: perhaps what a healed partition believes of us.
  };
  enum class Heard : std::uint8_t {
    kStale,  // Or refused for want of room.
    kTaken,
    // A sync accuses a member that is alive here. Believing it would take half a cluster down
    // after a partition; instead the accused is to be asked (Prober::Ask), and refutes or not.
    kAskSubject,
  };
  Heard Hear(base::Instant now, const Claim& claim, Source source);

  // Who found a member of this generation silent, and how.
  struct Accusation {
    base::HostId host;
    std::uint64_t generation;
    Accusers accusers{};  // kSwim does not count them.
    std::string_view reason{};
  };
  // Makes an alive member suspect, and a suspect with enough accusers unreachable.
  void Accuse(base::Instant now, const Accusation& accusation);
  // A member on trial answered a ping of this node. It has to refute by itself; but this node will
  // not declare dead whom it just heard.
  void Vouch(base::Instant now, base::HostId host);
  Accuser AsAccuser(base::HostId host) const;  // This node, or a member.

  // Declares dead whose time to refute is over.
  void OnTick(base::Instant now);
  base::Instant next_tick() const { return std::min(verdicts_.earliest(), next_judgement_); }

  // This process was late, or asleep: what it missed may have been refutations. All on trial get
  // that time on top, or their whole time again.
  void Late(base::Duration by);
  void Slept(base::Instant now);

  LocalHealth& health() { return health_; }
  const LocalHealth& health() const { return health_; }

  void SetMetadata(base::Instant now, std::string metadata);
  void Announce();  // Others should hear of us.
  void Leave(base::Instant now);

  // Forgets members that are gone for longer than dead_kept.
  void Sweep(base::Instant now);

  // What is to be passed on, as claims of at most `bytes_max` in all: to a member whose turn it is,
  // which counts, and of which all are told once before one is twice; or on a packet that is sent
  // anyway.
  void AddUpdatesFor(base::HostId target, base::Instant now, std::size_t bytes_max,
                     std::vector<Claim>& claims);
  void AddUpdatesAlong(base::Instant now, std::size_t bytes_max, std::vector<Claim>& claims);
  bool has_updates() const { return !updates_.empty(); }

  // Whom this node guards on a circle. REQUIRES: circle < kGuardsMax.
  std::optional<base::HostId> Guarded(std::size_t circle) const { return guards_.Of(circle); }
  std::optional<base::HostId> NextToProbe();
  std::optional<base::HostId> NextToTell();
  // Up to `count` members that are alive, drawn at random, none twice, without `except`.
  std::vector<const MemberInfo*> DrawAlive(std::size_t count, base::HostId except);

  const MemberInfo& self() const { return self_; }
  bool left() const { return self_.liveness == Liveness::kLeft; }
  const MemberInfo* Find(base::HostId host) const;
  const std::map<base::HostId, MemberInfo>& members() const { return members_; }
  std::size_t present() const { return present_; }  // Alive or suspect, this node excluded.
  // Over this node and all members: equal tables have equal digests.
  std::uint64_t digest() const;
  std::vector<Claim> AllClaims(base::Instant now) const;                // This node's first.
  Claim ClaimAbout(const MemberInfo& member, base::Instant now) const;  // With its accusers.

 private:
  // The time that a suspect or unreachable member has to refute, and who accused it.
  struct Trial {
    base::Instant began;
    Accusers accusers;
  };

  Heard HearOfSelf(base::Instant now, const Claim& claim);
  Heard HearAgain(base::Instant now, const Claim& claim, const MemberInfo& known);
  void TellConflict(base::Instant now, const Claim& claim);
  bool Join(Trial& trial, const Accusers& accusers) const;
  void Try(base::Instant now, const Claim& claim, bool is_new_trial);
  void Judge(base::Instant now, const MemberInfo& member);
  void JudgeAll(base::Instant now);
  void Execute(base::Instant now, base::HostId host);
  void SetVerdict(const MemberInfo& member, const Trial& trial);
  Witnesses witnesses() const { return {alive_ + 1, domains_.size()}; }
  void Attend(const MemberInfo* before, const MemberInfo& after);
  bool HasRoom(const Claim& claim);
  void Take(base::Instant now, const Claim& claim, std::string_view reason);
  void Tell(const MemberInfo& member, const MemberInfo* before, std::string_view reason);
  void Count(const MemberInfo& member, int sign);
  bool AddClaim(base::HostId subject, base::Instant now, std::size_t& bytes_max,
                std::vector<Claim>& claims) const;

  const GossipOptions& options_;
  base::Random& random_;
  Outputs& outputs_;
  Counters& counters_;

  MemberInfo self_;
  std::map<base::HostId, MemberInfo> members_;  // Ordered: iteration must not depend on hashes.
  std::size_t present_ = 0;
  std::uint64_t members_digest_ = 0;              // Sum over members_.
  std::size_t alive_ = 0;                         // Alive alone.
  std::map<std::uint32_t, std::size_t> domains_;  // How many of these, and this node, are in each.
  Guards guards_;
  LocalHealth health_;
  std::map<base::HostId, Trial> trials_;  // Of all suspect and unreachable.
  Deadlines<base::HostId> verdicts_;
  base::Instant next_judgement_ = base::Instant::Never();
  std::optional<base::Instant> last_conflict_;
  UpdateQueue updates_;  // May hold self_.host.
  PeerRing probe_ring_{PeerRing::AtEnd::kShuffle};
  PeerRing tell_ring_{PeerRing::AtEnd::kKeepOrder};
};

}  // namespace starling::gossip
