// gossip/membership.cc: taking claims, and what follows from each.
#include "gossip/membership.h"

#include <fmt/core.h>

#include <limits>
#include <utility>

#include "base/check.h"

namespace starling::gossip {
namespace {

constexpr std::uint32_t kLastIncarnation = std::numeric_limits<std::uint32_t>::max();

// Liveness counts, so that a table that has heard of a death is not equal to one that has not.
std::uint64_t DigestOf(const MemberInfo& member) {
  std::uint64_t digest = base::Mix64(member.host.high ^ base::Mix64(member.host.low));
  digest = base::Mix64(digest ^ member.generation);
  return base::Mix64(digest ^ (std::uint64_t{member.incarnation} << 8 |
                               static_cast<std::uint64_t>(member.liveness)));
}

}  // namespace

Membership::Membership(const GossipOptions& options, MemberInfo self, base::Random& random,
                       Outputs& outputs, Counters& counters)
    : options_(options),
      random_(random),
      outputs_(outputs),
      counters_(counters),
      self_(std::move(self)) {}

Membership::Heard Membership::Hear(base::Instant now, const Claim& claim, Source source) {
  if (claim.host == self_.host) return HearOfSelf(now, claim);
  const auto found = members_.find(claim.host);
  if (found == members_.end()) {
    if (!HasRoom(claim)) return Heard::kStale;
    Take(now, claim, source == Source::kSync ? "learned by push-pull" : "heard by gossip");
    return Heard::kTaken;
  }
  if (!Supersedes(claim, found->second)) return Heard::kStale;
  if (source == Source::kSync && IsAccusation(claim.liveness) &&
      found->second.liveness == Liveness::kAlive)
    return Heard::kAskSubject;
  Take(now, claim, claim.liveness == Liveness::kAlive ? "it says so" : "others say so");
  return Heard::kTaken;
}

bool Membership::HasRoom(const Claim& claim) {
  // Else two nodes would hand a dead member to each other for ever.
  if (IsGone(claim.liveness) && claim.gone_for >= options_.dead_kept) return false;
  if (members_.size() < options_.members_max) return true;
  ++counters_.rejected;
  return false;
}

// Whatever is said about this node and is not older than what it says itself, it answers with
// something newer. So a restart from old state, or a peer's lie, ends with this node alive.
Membership::Heard Membership::HearOfSelf(base::Instant now, const Claim& claim) {
  if (left()) return Heard::kStale;
  const bool same_age =
      claim.generation == self_.generation && claim.incarnation == self_.incarnation;
  const bool other_words = same_age && claim.liveness == Liveness::kAlive &&
                           (claim.address != self_.address || claim.metadata != self_.metadata);
  if (!Supersedes(claim, self_) && !other_words) return Heard::kStale;
  // An accusation at our own age is the ordinary case. All else only a second node with our
  // identity, or our own lost past, can have said.
  if (!same_age || !IsAccusation(claim.liveness)) ++counters_.conflicts;
  ++counters_.refutations;
  Outbid(now, claim.generation,
         claim.liveness == Liveness::kLeft ? kLastIncarnation : claim.incarnation);
  return Heard::kTaken;
}

// Says something newer. A generation whose incarnations are used up is followed by the next.
void Membership::Outbid(base::Instant now, std::uint64_t generation, std::uint32_t incarnation) {
  const bool ended = incarnation == kLastIncarnation;
  self_.generation = ended ? generation + 1 : generation;
  self_.incarnation = ended ? 0 : incarnation + 1;
  self_.since = now;
  Announce();
}

void Membership::Take(base::Instant now, const Claim& claim, std::string_view reason) {
  const auto [at, is_new] = members_.try_emplace(claim.host);
  MemberInfo& member = at->second;
  if (is_new) {
    probe_ring_.Insert(claim.host, random_);
    tell_ring_.Insert(claim.host, random_);
  } else {
    Count(member, -1);
  }
  const bool same_state =
      !is_new && claim.liveness == member.liveness && claim.generation == member.generation;
  MemberInfo after = {.host = claim.host,
                      .generation = claim.generation,
                      .incarnation = claim.incarnation,
                      .address = claim.address,
                      .metadata = claim.metadata,
                      .liveness = claim.liveness,
                      .since = same_state ? member.since : now - claim.gone_for};
  const MemberInfo before = std::exchange(member, std::move(after));
  Count(member, +1);
  if (claim.liveness == Liveness::kSuspect)
    suspicions_.Set(claim.host, now + options_.suspicion_timeout);
  else
    suspicions_.Clear(claim.host);
  if (IsGone(claim.liveness)) updates_.ForgetTarget(claim.host);
  updates_.Push(claim.host);
  Tell(member, is_new ? nullptr : &before, reason);
}

void Membership::Count(const MemberInfo& member, int sign) {
  const auto signed_one = static_cast<std::size_t>(sign);  // Wraps around, on purpose.
  if (!IsGone(member.liveness)) present_ += signed_one;
  members_digest_ += static_cast<std::uint64_t>(sign) * DigestOf(member);
}

void Membership::Tell(const MemberInfo& member, const MemberInfo* before, std::string_view reason) {
  const auto event = [&](Event::Kind kind) {
    outputs_.events.push_back({.kind = kind, .member = member, .reason = std::string(reason)});
  };
  const bool is_new = before == nullptr || before->generation != member.generation;
  if (is_new && !IsGone(member.liveness)) event(Event::kJoined);
  const bool changed = is_new || before->liveness != member.liveness;
  switch (member.liveness) {
    case Liveness::kAlive:
      if (is_new) break;
      if (changed) event(Event::kAlive);
      if (before->metadata != member.metadata || before->address != member.address)
        event(Event::kUpdated);
      break;
    case Liveness::kSuspect:
      if (!changed) break;
      ++counters_.suspicions;
      event(Event::kSuspect);
      break;
    case Liveness::kDead:
      if (!changed) break;
      ++counters_.deaths;
      event(Event::kDead);
      break;
    case Liveness::kLeft:
      if (changed) event(Event::kLeft);
      break;
  }
}

void Membership::Suspect(base::Instant now, base::HostId host, std::uint64_t generation,
                         std::string_view reason) {
  const MemberInfo* member = Find(host);
  if (member == nullptr || member->generation != generation || member->liveness != Liveness::kAlive)
    return;
  Claim claim = ClaimOf(*member, now);
  claim.liveness = Liveness::kSuspect;
  Take(now, claim, reason);
}

void Membership::OnTick(base::Instant now) {
  while (const std::optional<base::HostId> host = suspicions_.TakeDue(now)) {
    const MemberInfo* member = Find(*host);
    CHECK(member != nullptr);
    CHECK(member->liveness == Liveness::kSuspect);
    Claim claim = ClaimOf(*member, now);
    claim.liveness = Liveness::kDead;
    Take(now, claim,
         fmt::format("did not refute within {} ms", base::ToMs(options_.suspicion_timeout)));
  }
}

void Membership::Slept(base::Instant now) { suspicions_.SetAll(now + options_.suspicion_timeout); }

void Membership::SetMetadata(base::Instant now, std::string metadata) {
  CHECK(metadata.size() <= options_.metadata_bytes_max);
  if (metadata == self_.metadata || left()) return;
  self_.metadata = std::move(metadata);
  Outbid(now, self_.generation, self_.incarnation);
}

void Membership::Announce() { updates_.PushFirst(self_.host); }

void Membership::Leave(base::Instant now) {
  self_.liveness = Liveness::kLeft;
  self_.since = now;
  Announce();
}

void Membership::Sweep(base::Instant now) {
  for (auto at = members_.begin(); at != members_.end();) {
    const MemberInfo& member = at->second;
    if (!IsGone(member.liveness) || now - member.since < options_.dead_kept) {
      ++at;
      continue;
    }
    Count(member, -1);
    probe_ring_.Remove(member.host);
    tell_ring_.Remove(member.host);
    updates_.Remove(member.host);
    at = members_.erase(at);
  }
}

void Membership::AddUpdatesFor(base::HostId target, base::Instant now, std::size_t bytes_max,
                               std::vector<Claim>& claims) {
  updates_.SendTo({.target = target, .others = present_},
                  [&](base::HostId subject) { return AddClaim(subject, now, bytes_max, claims); });
}

void Membership::AddUpdatesAlong(base::Instant now, std::size_t bytes_max,
                                 std::vector<Claim>& claims) {
  updates_.RideAlong(
      [&](base::HostId subject) { return AddClaim(subject, now, bytes_max, claims); });
}

// False if there is no room for it; else `bytes_max` is what is left.
bool Membership::AddClaim(base::HostId subject, base::Instant now, std::size_t& bytes_max,
                          std::vector<Claim>& claims) const {
  const MemberInfo& member = subject == self_.host ? self_ : members_.at(subject);
  const std::size_t bytes = kClaimBytesMax + member.metadata.size();
  if (bytes > bytes_max) return false;
  bytes_max -= bytes;
  claims.push_back(ClaimOf(member, now));
  return true;
}

std::optional<base::HostId> Membership::NextToProbe() {
  return probe_ring_.Next(random_,
                          [this](base::HostId host) { return !IsGone(Find(host)->liveness); });
}

std::optional<base::HostId> Membership::NextToTell() {
  return tell_ring_.Next(random_,
                         [this](base::HostId host) { return !IsGone(Find(host)->liveness); });
}

std::vector<const MemberInfo*> Membership::DrawAlive(std::size_t count, base::HostId except) {
  std::vector<const MemberInfo*> drawn;  // Reservoir sampling: one walk, no copy of the list.
  std::size_t seen = 0;
  for (const auto& [host, member] : members_) {
    if (member.liveness != Liveness::kAlive || host == except) continue;
    ++seen;
    if (drawn.size() < count) {
      drawn.push_back(&member);
    } else if (const std::uint64_t at = random_.Below(seen); at < count) {
      drawn[at] = &member;
    }
  }
  return drawn;
}

const MemberInfo* Membership::Find(base::HostId host) const {
  const auto found = members_.find(host);
  return found == members_.end() ? nullptr : &found->second;
}

std::uint64_t Membership::digest() const { return members_digest_ + DigestOf(self_); }

std::vector<Claim> Membership::AllClaims(base::Instant now) const {
  std::vector<Claim> claims;
  claims.reserve(members_.size() + 1);
  claims.push_back(ClaimOf(self_, now));
  for (const auto& [host, member] : members_) claims.push_back(ClaimOf(member, now));
  return claims;
}

}  // namespace starling::gossip
