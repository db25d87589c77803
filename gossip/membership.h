// gossip/membership.h: who is in the cluster, in which state, and what of it to pass on.
//
// The member table of SWIM: it takes claims, orders them (gossip/member.h), runs the time of
// suspects, answers accusations of this node, and queues what others need to hear. It sends
// nothing and probes nobody; gossip/prober.h finds out who is silent.
//
// Thread:    confined to one thread.
// Ownership: keeps copies.
// Read next: gossip/prober.h
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "gossip/deadlines.h"
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

  // A probe of `host` failed. Only takes an alive member of this generation.
  void Suspect(base::Instant now, base::HostId host, std::uint64_t generation,
               std::string_view reason);

  // Declares dead whose time to refute is over.
  void OnTick(base::Instant now);
  base::Instant next_tick() const { return suspicions_.earliest(); }

  // This process was asleep: what it missed may have been refutations, so all suspects get their
  // time again.
  void Slept(base::Instant now);

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
  std::vector<Claim> AllClaims(base::Instant now) const;  // This node's first.

 private:
  Heard HearOfSelf(base::Instant now, const Claim& claim);
  void Outbid(base::Instant now, std::uint64_t generation, std::uint32_t incarnation);
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
  std::uint64_t members_digest_ = 0;  // Sum over members_.
  Deadlines<base::HostId> suspicions_;
  UpdateQueue updates_;  // May hold self_.host.
  PeerRing probe_ring_{PeerRing::AtEnd::kShuffle};
  PeerRing tell_ring_{PeerRing::AtEnd::kKeepOrder};
};

}  // namespace starling::gossip
