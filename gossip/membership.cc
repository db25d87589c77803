// gossip/membership.cc: taking claims, and what follows from each.
#include "gossip/membership.h"

#include <fmt/core.h>

#include <limits>
#include <utility>

#include "base/check.h"
#include "base/mutants.h"

namespace starling::gossip {
namespace {

constexpr base::Duration kConflictGap = base::seconds(10);
constexpr std::uint32_t kLastIncarnation = std::numeric_limits<std::uint32_t>::max();

}  // namespace

std::uint64_t Membership::DigestOf(const Member& member) {
  return DigestOfState(DigestOfBoot(ShortId(member.host), member.generation), member.incarnation,
                       member.liveness);
}

Membership::Membership(const GossipOptions& options, MemberInfo self,
                       std::shared_ptr<Roster> roster, base::Random& random, Outputs& outputs,
                       Counters& counters)
    : options_(options),
      random_(random),
      outputs_(outputs),
      counters_(counters),
      self_(std::move(self)),
      table_(std::move(roster)),
      census_(self_.domain),
      guards_(self_.host, options.guards),
      health_(options.mode) {}

Membership::Heard Membership::Hear(base::Instant now, const Claim& claim, Source source) {
  if (claim.host == self_.host) return HearOfSelf(now, claim);
  const std::optional<Slot> slot = table_.SlotOf(claim.host);
  if (!slot) {
    if (!HasRoom(claim)) return Heard::kStale;
    TakeAt(now, slot, claim, source == Source::kGossip ? "heard by gossip" : "learned by push-pull",
           source == Source::kFirstSync ? PassOn::kNo : PassOn::kYes);
    return Heard::kTaken;
  }
  const Standing known = table_.StandingAt(*slot);
  const bool table_accuses = source != Source::kGossip && IsAccusation(claim.liveness);
  if (table_accuses && !options_.features().tables_doubted) return HearTable(now, claim, known);
  if (!Supersedes(claim, known) && !base::Mutant("gossip-stale-taken"))
    return HearAgain(now, claim, known);
  if (table_accuses && !base::Mutant("gossip-sync-believed") && known.liveness == Liveness::kAlive)
    return Heard::kAskSubject;
  TakeAt(now, slot, claim, IsAccusation(claim.liveness) ? "others say so" : "it says so",
         PassOn::kYes);
  return Heard::kTaken;
}

// A suspect's further accusers are news, until there are enough of them.
Membership::Heard Membership::HearAgain(base::Instant now, const Claim& claim,
                                        const Standing& known) {
  if (claim.liveness != Liveness::kSuspect || known.liveness != Liveness::kSuspect ||
      claim.generation != known.generation || claim.incarnation != known.incarnation)
    return Heard::kStale;
  if (!Join(now, trials_.at(claim.host), claim.accusers)) return Heard::kStale;
  updates_.Push(SubjectOf(claim.host));
  Judge(now, claim.host);
  return Heard::kTaken;
}

// memberlist's merge: whom another's table has as suspect or dead, this node suspects by itself.
Membership::Heard Membership::HearTable(base::Instant now, const Claim& claim,
                                        const Standing& known) {
  Claim suspicion = claim;
  suspicion.liveness = Liveness::kSuspect;
  suspicion.age = base::Duration(0);
  suspicion.accusers = {};
  if (options_.features().dogpile) suspicion.accusers.Add(AsAccuser(self_.host));
  if (!Supersedes(suspicion, known)) return HearAgain(now, suspicion, known);
  Take(now, suspicion, "another's table accuses it");
  return Heard::kTaken;
}

void Membership::Remember(base::Instant now, const Claim& claim) {
  if (claim.host == self_.host || IsOnTrial(claim.liveness) || !HasRoom(claim)) return;
  const std::optional<Slot> slot = table_.Insert(claim, now - claim.age);
  if (!slot) return;
  AddToDigests(*slot, +1);
  census_.Add(*slot, RowAt(*slot));
  Attend(nullptr, *slot);
}

bool Membership::HasRoom(const Claim& claim) {
  // Else two nodes would hand a dead member to each other for ever.
  if (IsGone(claim.liveness) && claim.age >= options_.dead_kept) return false;
  if (table_.size() < options_.members_max) return true;
  ++counters_.rejected;
  return false;
}

// Whatever is said about this node and is not older than what it says itself, it answers with
// something newer. So a restart from old state, or a peer's lie, ends with this node alive.
Membership::Heard Membership::HearOfSelf(base::Instant now, const Claim& claim) {
  if (left() || yielded_) return Heard::kStale;
  const bool same_age =
      claim.generation == self_.generation && claim.incarnation == self_.incarnation;
  const bool other_words = same_age && claim.liveness == Liveness::kAlive &&
                           (claim.address != self_.address || claim.metadata != self_.metadata);
  if (!Supersedes(claim, ViewOf(self_)) && !other_words) return Heard::kStale;
  // An accusation at our own age is the ordinary case. All else only a second node with our
  // identity, or our own lost past, can have said.
  if (base::Mutant("gossip-no-refutation")) return Heard::kStale;
  if (!same_age || !IsAccusation(claim.liveness)) TellConflict(now, claim);
  if (YieldsTo(now, claim)) return Heard::kTaken;
  ++counters_.refutations;
  health_.Worse();  // Others found this node slow.
  if (claim.liveness == Liveness::kUnreachable) Hurry();
  Outbid(now, claim.generation,
         claim.liveness == Liveness::kLeft ? kLastIncarnation : claim.incarnation);
  return Heard::kTaken;
}

// Says something newer. A generation whose incarnations are used up is followed by the next.
void Membership::Outbid(base::Instant now, std::uint64_t generation, std::uint32_t incarnation) {
  const bool ended = incarnation == kLastIncarnation;
  self_.generation = ended ? NextGeneration(generation) : generation;
  self_.incarnation = ended ? 0 : incarnation + 1;
  self_.since = now;
  Announce();
}

// Whether the claim answers this node's last words, from another address, for the third time.
bool Membership::YieldsTo(base::Instant now, const Claim& claim) {
  const bool answers = claim.generation == self_.generation && claim.liveness == Liveness::kAlive &&
                       claim.address != self_.address;
  if (!answers || !rivalry_.Outbid(now, self_.address, claim.address)) return false;
  yielded_ = true;
  Event event{.kind = Event::kYielded,
              .reason = fmt::format("a node at {} has our host id and goes on: this one gives way, "
                                    "since it is not where its cluster has noted it, or its "
                                    "address is the lower one",
                                    claim.address.ToString())};
  event.member = self_;
  outputs_.events.push_back(std::move(event));
  return true;
}

void Membership::TellConflict(base::Instant now, const Claim& claim) {
  ++counters_.conflicts;
  if (last_conflict_ && now - *last_conflict_ < kConflictGap) return;
  last_conflict_ = now;
  Event event{.kind = Event::kConflict,
              .reason = fmt::format("generation {} of this host id speaks from {}: another node "
                                    "has our identity, or our boot counter went back",
                                    claim.generation, claim.address.ToString())};
  event.member = self_;
  event.member.generation = claim.generation;
  event.member.incarnation = claim.incarnation;
  event.member.address = claim.address;
  outputs_.events.push_back(std::move(event));
}

// `slot`: of the claim's host, if it is a member.
void Membership::TakeAt(base::Instant now, std::optional<Slot> slot, const Claim& claim,
                        std::string_view reason, PassOn pass_on) {
  std::optional<Before> before;
  bool counts_change = true;  // News of a member seldom do that.
  if (slot) {
    const Member member = table_.At(*slot);
    counts_change = member.liveness != claim.liveness || member.domain != claim.domain;
    before = {member.liveness, member.generation, member.incarnation, member.since,
              member.metadata != claim.metadata || member.address != claim.address};
    AddToDigests(*slot, -1);
    if (counts_change) census_.Remove(*slot, RowAt(*slot));
  }
  const bool same_state =
      before && before->liveness == claim.liveness && before->generation == claim.generation;
  const base::Instant since = same_state ? before->since : now - claim.age;
  if (slot)
    table_.PutAt(*slot, claim, since);
  else
    slot = table_.Put(claim, since);
  AddToDigests(*slot, +1);
  if (counts_change) census_.Add(*slot, RowAt(*slot));
  const Before* const was = before ? &*before : nullptr;
  Attend(was, *slot);
  if (IsOnTrial(claim.liveness)) {
    const bool is_new_trial = !before || !IsOnTrial(before->liveness) ||
                              before->generation != claim.generation ||
                              before->incarnation != claim.incarnation;
    Try(now, claim, is_new_trial);
  }
  if (IsGone(claim.liveness)) updates_.ForgetTarget(SubjectAt(*slot));
  if (pass_on == PassOn::kYes) {
    updates_.Push(SubjectAt(*slot));
    const bool was_unreachable = before && before->liveness == Liveness::kUnreachable;
    if (claim.liveness == Liveness::kUnreachable ||
        (was_unreachable && claim.liveness == Liveness::kAlive))
      Hurry();
  }
  Tell(table_.At(*slot), was, reason);
  if (before && IsOnTrial(before->liveness) && !IsOnTrial(claim.liveness)) {
    trials_.erase(claim.host);
    verdicts_.Clear(claim.host);
  }
  if (claim.liveness == Liveness::kSuspect) Judge(now, claim.host);
}

// Keeps the guarded circles closed.
void Membership::Attend(const Before* before, Slot changed) {
  const bool was_present = before != nullptr && !IsGone(before->liveness);
  const bool is_present = PresentIn(changed);
  if (is_present == was_present) return;
  const auto present = [&](Slot slot) {
    guards_.Present(table_.HostAt(slot), table_.GuardSpotAt(slot));
  };
  if (is_present) return present(changed);
  if (!guards_.Gone(table_.HostAt(changed))) return;
  for (Slot slot = 0; slot < table_.slots(); ++slot) {
    if (PresentIn(slot)) present(slot);
  }
}

// REQUIRES: table_.Has(slot).
Census::Row Membership::RowAt(Slot slot) const {
  return {table_.LivenessAt(slot), table_.DomainAt(slot), table_.MetAt(slot)};
}

void Membership::AddToDigests(Slot slot, int sign) {
  const std::uint64_t digest = static_cast<std::uint64_t>(sign) * table_.DigestAt(slot);
  members_digest_ += digest;
  bucket_digests_[table_.BucketAt(slot)] += digest;
}

void Membership::Tell(const Member& member, const Before* before, std::string_view reason) {
  const auto event = [&](Event::Kind kind) {
    Event& told = outputs_.events.emplace_back();
    told.kind = kind;
    told.member = CopyOf(member);
    told.reason = reason;
    if (!IsAccusation(member.liveness)) return;
    if (const auto trial = trials_.find(member.host); trial != trials_.end())
      told.accusers = trial->second.accusers;
  };
  const bool is_new = before == nullptr || before->generation != member.generation;
  if (is_new && !IsGone(member.liveness)) event(Event::kJoined);
  const bool changed = is_new || before->liveness != member.liveness;
  if (!changed) {
    if (member.liveness == Liveness::kAlive && before->other_words) event(Event::kUpdated);
    return;
  }
  switch (member.liveness) {
    case Liveness::kAlive:
      if (is_new) break;
      event(Event::kAlive);
      if (before->other_words) event(Event::kUpdated);
      break;
    case Liveness::kSuspect:
      ++counters_.suspicions;
      event(Event::kSuspect);
      break;
    case Liveness::kUnreachable:
      ++counters_.unreachable;
      event(Event::kUnreachable);
      break;
    case Liveness::kDead:
      ++counters_.deaths;
      event(Event::kDead);
      break;
    case Liveness::kLeft: event(Event::kLeft); break;
  }
}

void Membership::SetMetadata(base::Instant now, std::string metadata) {
  CHECK(metadata.size() <= options_.metadata_bytes_max);
  if (metadata == self_.metadata || left()) return;
  self_.metadata = std::move(metadata);
  Outbid(now, self_.generation, self_.incarnation);
}

void Membership::Announce() { updates_.PushFirst(kSelf); }

void Membership::Leave(base::Instant now) {
  self_.liveness = Liveness::kLeft;
  self_.since = now;
  Announce();
}

void Membership::Sweep(base::Instant now) {
  if (present() == table_.size()) return;
  for (Slot slot = 0; slot < table_.slots(); ++slot) {
    if (!table_.Has(slot) || PresentIn(slot)) continue;
    const Member member = table_.At(slot);
    if (now - member.since < options_.dead_kept) continue;
    AddToDigests(slot, -1);
    census_.Remove(slot, RowAt(slot));
    updates_.Remove(SubjectAt(slot));
    updates_.ForgetTarget(SubjectAt(slot));
    table_.Erase(slot);
  }
}

void Membership::AddUpdatesFor(base::HostId target, base::Instant now, std::size_t bytes_max,
                               std::vector<Claim>& claims) {
  updates_.SendTo({.target = SubjectOf(target), .others = present()},
                  [&](UpdateQueue::Subject subject) {
                    return AddClaim(MemberOf(subject), now, bytes_max, claims);
                  });
}

// False if there is no room for it; else `bytes_max` is what is left.
bool Membership::AddClaim(const Member& member, base::Instant now, std::size_t& bytes_max,
                          std::vector<Claim>& claims) const {
  const Claim claim = ClaimAbout(member, now);
  const std::size_t bytes = BytesBound(claim);
  if (bytes > bytes_max) return false;
  bytes_max -= bytes;
  claims.push_back(claim);
  return true;
}

Claim Membership::ClaimAbout(const Member& member, base::Instant now) const {
  Claim claim = ClaimOf(member, now);
  if (member.liveness == Liveness::kSuspect) claim.accusers = trials_.at(member.host).accusers;
  return claim;
}

std::optional<Member> Membership::NextToProbe() {
  const std::optional<Slot> slot = probe_ring_.Next(
      random_, table_.slots(), [this](Slot candidate) { return PresentIn(candidate); });
  if (!slot) return std::nullopt;
  return table_.At(*slot);
}

std::optional<Member> Membership::NextToTell() {
  const std::optional<Slot> slot = tell_ring_.Next(
      random_, table_.slots(), [this](Slot candidate) { return PresentIn(candidate); });
  if (!slot) return std::nullopt;
  return table_.At(*slot);
}

std::vector<Member> Membership::DrawAlive(std::size_t count, base::HostId except) {
  std::vector<Member> drawn;
  const Permutation order(random_.Next(), table_.slots());
  for (std::size_t at = 0; at < order.size() && drawn.size() < count; ++at) {
    const auto slot = static_cast<Slot>(order.At(at));
    if (!table_.Has(slot) || table_.LivenessAt(slot) != Liveness::kAlive) continue;
    const Member member = table_.At(slot);
    if (member.host != except) drawn.push_back(member);
  }
  return drawn;
}

std::optional<Member> Membership::DrawDead() {
  const std::vector<Slot>& dead = census_.dead();
  if (dead.empty()) return std::nullopt;
  return table_.At(dead[random_.Below(dead.size())]);
}

std::optional<Member> Membership::Find(base::HostId host) const {
  const std::optional<Slot> slot = table_.SlotOf(host);
  if (!slot) return std::nullopt;
  return table_.At(*slot);
}

std::vector<MemberInfo> Membership::members() const {
  std::vector<MemberInfo> members;
  members.reserve(table_.size());
  for (Slot slot = 0; slot < table_.slots(); ++slot) {
    if (table_.Has(slot)) members.push_back(CopyOf(table_.At(slot)));
  }
  std::ranges::sort(members, {}, &MemberInfo::host);
  return members;
}

std::optional<base::HostId> Membership::PresentAt(base::Address address) const {
  for (Slot slot = 0; slot < table_.slots(); ++slot) {
    if (PresentIn(slot) && table_.At(slot).address == address) return table_.At(slot).host;
  }
  return std::nullopt;
}

std::uint64_t Membership::digest() const { return members_digest_ + DigestOf(ViewOf(self_)); }

Membership::Buckets Membership::buckets() const {
  Buckets buckets = bucket_digests_;
  buckets[BucketOf(self_.host)] += DigestOf(ViewOf(self_));
  return buckets;
}

}  // namespace starling::gossip
