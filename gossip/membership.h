// gossip/membership.h: who is in the cluster, in which state, and what of it to pass on.
//
// The member table of SWIM: it takes claims, orders them (gossip/member.h), weighs
// accusations (gossip/suspicion.h), runs the time to refute, answers accusations of this node, and
// queues what others need to hear. It sends nothing and probes nobody; gossip/prober.h finds out
// who is silent.
//
// Thread:    confined to one thread.
// Ownership: keeps copies. The Members that it returns are valid until the next change.
// Read next: gossip/prober.h
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "gossip/census.h"
#include "gossip/deadlines.h"
#include "gossip/guards.h"
#include "gossip/local_health.h"
#include "gossip/member_table.h"
#include "gossip/message.h"
#include "gossip/options.h"
#include "gossip/outputs.h"
#include "gossip/peer_ring.h"
#include "gossip/report.h"
#include "gossip/rivalry.h"
#include "gossip/update_queue.h"

namespace starling::gossip {

class Membership {
 public:
  // The references outlive this. `roster` may be shared with others of this thread.
  Membership(const GossipOptions& options, MemberInfo self, std::shared_ptr<Roster> roster,
             base::Random& random, Outputs& outputs, Counters& counters);
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  enum class Source : std::uint8_t {
    kGossip,     // In a datagram: news, made lately.
    kSync,       // From another's whole table: perhaps what a healed partition believes of us.
    kFirstSync,  // Likewise, to a node that knew nearly nobody: no news to others.
  };
  enum class Heard : std::uint8_t {
    kStale,  // Or refused for want of room.
    kTaken,
    // A sync accuses a member that is alive here. Believing it would take half a cluster down
    // after a partition; instead the accused is to be asked (Prober::Ask), and refutes or not.
    kAskSubject,
  };
  Heard Hear(base::Instant now, const Claim& claim, Source source);

  // A member from before a restart: no news, and so told to nobody. Nothing if it is known.
  void Remember(base::Instant now, const Claim& claim);

  // Who found a member of this generation silent, and how.
  struct Accusation {
    base::HostId host;
    std::uint64_t generation;
    Accusers accusers{};  // Counted where Features::dogpile is.
    std::string_view reason{};
  };
  // Makes an alive member suspect, and a suspect with enough accusers unreachable.
  void Accuse(base::Instant now, const Accusation& accusation);
  // A member on trial answered a ping of this node. It has to refute by itself; but this node will
  // not declare dead whom it just heard.
  void Vouch(base::Instant now, base::HostId host);
  Accuser AsAccuser(base::HostId host) const;  // This node, or a member.
  // The host answered this node: from now on it counts among those who could find a member silent.
  void Meet(base::HostId host);
  // Nothing is taken without a seal: all that are alive count so (gossip/census.h).
  void SetVouchedFor(bool vouched_for) { census_.SetVouchedFor(vouched_for); }

  // What the host should know first: that it is not seen as alive (Lifeguard's buddy notice).
  // nullopt if it is, or without Features::buddy_notice.
  std::optional<Claim> AccusationOf(base::Instant now, base::HostId host) const;
  // For the member itself: without metadata, which is its own.
  Claim ClaimToItself(const Member& member, base::Instant now) const;

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
  // Where this node's cluster has noted it: of two with one identity the one that is there stays.
  void SetHome(base::Address home) { rivalry_.SetHome(home); }
  void Announce();  // Others should hear of us.
  // Where they are, for the log: "10.0.0.1:7700 and 10.0.0.2:7700". Looks at all members.
  std::string Name(const Accusers& accusers) const;
  void Leave(base::Instant now);

  // Forgets members that are gone for longer than dead_kept.
  void Sweep(base::Instant now);

  // What is to be passed on to a member whose turn it is, which counts, and of which all are told
  // once before one is twice: as claims of at most `bytes_max` in all.
  void AddUpdatesFor(base::HostId target, base::Instant now, std::size_t bytes_max,
                     std::vector<Claim>& claims);
  // Calls fits(claim) for what is to be passed on, on a packet that is sent anyway, until it was
  // false a few times: there is no room.
  template <typename Fits>
  void OfferUpdates(base::Instant now, Fits fits);
  bool has_updates() const { return !updates_.empty(); }
  // Somebody became unreachable, or is not any more: routing waits to hear of it, and the next
  // rounds should come sooner. One that came counts.
  bool hurries() const { return hurried_rounds_ > 0 && has_updates(); }
  void CountRound() { hurried_rounds_ -= hurried_rounds_ > 0 ? 1 : 0; }
  std::size_t pending_updates() const { return updates_.size(); }
  std::size_t update_slots() const { return updates_.slots(); }

  // Whom this node guards on a circle. REQUIRES: circle < kGuardsMax.
  std::optional<base::HostId> Guarded(std::size_t circle) const { return guards_.Of(circle); }
  std::optional<Member> NextToProbe();
  std::optional<Member> NextToTell();
  // Up to `count` members that are alive (or: dead), drawn at random, none twice, without `except`.
  std::vector<Member> DrawAlive(std::size_t count, base::HostId except);
  // Likewise, to be asked whether they find `accused` silent, too: half of them from other failure
  // domains than this node's, if there are so many. A verdict needs two domains, and one of a
  // single host would else be asked by chance alone, once in a minute in a cluster of 200.
  std::vector<Member> DrawConfirmers(std::size_t count, base::HostId accused);
  std::optional<Member> DrawDead();

  const MemberInfo& self() const { return self_; }
  bool left() const { return self_.liveness == Liveness::kLeft; }
  // Another node has this identity, and this one gave way: it is to be silent for good.
  bool yielded() const { return yielded_; }
  // Who accuses a member on trial, and when its time is over.
  void AddTrialTo(MemberReport& report) const;
  std::optional<Member> Find(base::HostId host) const;
  // Of that, what most packets are looked at for.
  std::optional<Standing> StandingOf(base::HostId host) const {
    const std::optional<Slot> slot = table_.SlotOf(host);
    return slot ? std::optional(table_.StandingAt(*slot)) : std::nullopt;
  }
  std::vector<MemberInfo> members() const;  // All known, by host id.
  std::size_t size() const { return table_.size(); }
  std::size_t present() const { return census_.present(); }  // Not gone, nor this node.
  std::optional<base::HostId> PresentAt(base::Address address) const;

  // Over this node and all members, by ShortId's top eight bits: equal tables have equal digests.
  static constexpr std::size_t kBuckets = 256;
  using Buckets = std::array<std::uint64_t, kBuckets>;
  static std::uint64_t DigestOf(const Member& member);
  static std::size_t BucketOf(base::HostId host) { return ShortId(host) >> kBucketShift; }
  std::uint64_t digest() const;
  Buckets buckets() const;
  // Calls visit(Member) for this node and all members.
  template <typename Visit>
  void ForEach(Visit visit) const;
  Claim ClaimAbout(const Member& member, base::Instant now) const;  // With its accusers.

 private:
  // The time that a suspect or unreachable member has to refute, and who accused it.
  struct Trial {
    base::Instant began;
    Accusers accusers;
    std::array<base::Instant, Accusers::kMax> heard{};  // Of each accuser; for operators.
  };
  // What was known of a member before a claim was taken.
  struct Before {
    Liveness liveness;
    std::uint64_t generation;
    std::uint32_t incarnation;
    base::Instant since;
    bool other_words;  // The claim changes address or metadata.
  };

  enum class PassOn : bool { kNo, kYes };
  // The first tells all but a few, hop by hop; the second those few.
  static constexpr int kHurriedRounds = 2;

  // --- membership.cc: claims ---
  Heard HearAgain(base::Instant now, const Claim& claim, const Standing& known);
  Heard HearTable(base::Instant now, const Claim& claim, const Standing& known);
  Heard HearOfSelf(base::Instant now, const Claim& claim);
  void Outbid(base::Instant now, std::uint64_t generation, std::uint32_t incarnation);
  void TellConflict(base::Instant now, const Claim& claim);
  bool YieldsTo(base::Instant now, const Claim& claim);
  bool HasRoom(const Claim& claim);
  void Take(base::Instant now, const Claim& claim, std::string_view reason) {
    TakeAt(now, table_.SlotOf(claim.host), claim, reason, PassOn::kYes);
  }
  void TakeAt(base::Instant now, std::optional<Slot> slot, const Claim& claim,
              std::string_view reason, PassOn pass_on);
  void Tell(const Member& member, const Before* before, std::string_view reason);
  Census::Row RowAt(Slot slot) const;
  void AddToDigests(Slot slot, int sign);
  void Hurry() { hurried_rounds_ = kHurriedRounds; }
  void Attend(const Before* before, Slot changed);
  bool AddClaim(const Member& member, base::Instant now, std::size_t& bytes_max,
                std::vector<Claim>& claims) const;

  // What updates_ calls this node, and a member.
  static constexpr UpdateQueue::Subject kSelf = 0;
  static UpdateQueue::Subject SubjectAt(Slot slot) { return slot + 1; }
  // REQUIRES: this node or a member, as below.
  UpdateQueue::Subject SubjectOf(base::HostId host) const {
    return host == self_.host ? kSelf : SubjectAt(*table_.SlotOf(host));
  }
  Member MemberOf(UpdateQueue::Subject subject) const {
    return subject == kSelf ? ViewOf(self_) : table_.At(subject - 1);
  }
  bool PresentIn(Slot slot) const { return table_.Has(slot) && !IsGone(table_.LivenessAt(slot)); }

  // --- membership_trials.cc: accusations ---
  static bool Join(base::Instant now, Trial& trial, const Accusers& accusers);
  void Try(base::Instant now, const Claim& claim, bool is_new_trial);
  void Judge(base::Instant now, base::HostId host);
  void JudgeAll(base::Instant now);
  void Execute(base::Instant now, base::HostId host);
  void SetVerdict(base::HostId host, const Trial& trial);
  Witnesses witnesses() const { return census_.witnesses(); }
  Member Known(base::HostId host) const { return table_.At(*table_.SlotOf(host)); }

  const GossipOptions& options_;
  base::Random& random_;
  Outputs& outputs_;
  Counters& counters_;

  MemberInfo self_;
  MemberTable table_;
  Census census_;
  std::uint64_t members_digest_ = 0;  // Sum over table_.
  Buckets bucket_digests_{};          // Likewise.
  UpdateQueue updates_;               // May hold kSelf.
  PeerRing probe_ring_{PeerRing::AtEnd::kShuffle};
  PeerRing tell_ring_{PeerRing::AtEnd::kKeepOrder};
  Guards guards_;

  LocalHealth health_;
  std::map<base::HostId, Trial> trials_;  // Of all suspect and unreachable.
  Deadlines<base::HostId> verdicts_;      // Of the same.
  base::Instant next_judgement_ = base::Instant::Never();
  std::optional<base::Instant> last_conflict_;
  Rivalry rivalry_;
  bool yielded_ = false;
  int hurried_rounds_ = 0;  // That are still to come.
};

template <typename Fits>
void Membership::OfferUpdates(base::Instant now, Fits fits) {
  updates_.RideAlong(
      [&](UpdateQueue::Subject subject) { return fits(ClaimAbout(MemberOf(subject), now)); });
}

template <typename Visit>
void Membership::ForEach(Visit visit) const {
  visit(ViewOf(self_));
  for (Slot slot = 0; slot < table_.slots(); ++slot) {
    if (table_.Has(slot)) visit(table_.At(slot));
  }
}

}  // namespace starling::gossip
