// gossip/membership.cc: taking claims, and what follows from each.
#include "gossip/membership.h"

#include <fmt/core.h>

#include <limits>
#include <utility>

#include "base/check.h"

namespace starling::gossip {
namespace {

constexpr base::Duration kJudgementGap = base::milliseconds(200);
constexpr base::Duration kConflictGap = base::seconds(10);
constexpr int kAgeCreditPart = 4;

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
      self_(std::move(self)),
      guards_(self_.host),
      health_(options.mode) {
  ++domains_[self_.domain];
}

Membership::Heard Membership::Hear(base::Instant now, const Claim& claim, Source source) {
  if (claim.host == self_.host) return HearOfSelf(now, claim);
  const auto found = members_.find(claim.host);
  if (found == members_.end()) {
    if (!HasRoom(claim)) return Heard::kStale;
    Take(now, claim, source == Source::kSync ? "learned by push-pull" : "heard by gossip");
    return Heard::kTaken;
  }
  if (!Supersedes(claim, found->second)) return HearAgain(now, claim, found->second);
  if (source == Source::kSync && IsAccusation(claim.liveness) &&
      found->second.liveness == Liveness::kAlive)
    return Heard::kAskSubject;
  Take(now, claim, claim.liveness == Liveness::kAlive ? "it says so" : "others say so");
  return Heard::kTaken;
}

// A suspect's further accusers are news, until there are enough of them.
Membership::Heard Membership::HearAgain(base::Instant now, const Claim& claim,
                                        const MemberInfo& known) {
  if (claim.liveness != Liveness::kSuspect || known.liveness != Liveness::kSuspect ||
      claim.generation != known.generation || claim.incarnation != known.incarnation)
    return Heard::kStale;
  if (!Join(trials_.at(claim.host), claim.accusers)) return Heard::kStale;
  updates_.Push(claim.host);
  Judge(now, known);
  return Heard::kTaken;
}

bool Membership::HasRoom(const Claim& claim) {
  // Else two nodes would hand a dead member to each other for ever.
  if (IsGone(claim.liveness) && claim.age >= options_.dead_kept) return false;
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
  if (!same_age || !IsAccusation(claim.liveness)) TellConflict(now, claim);
  ++counters_.refutations;
  health_.Worse();  // Others found this node slow.
  const bool ended = claim.liveness == Liveness::kLeft ||
                     claim.incarnation == std::numeric_limits<std::uint32_t>::max();
  self_.generation = ended ? claim.generation + 1 : claim.generation;
  self_.incarnation = ended ? 0 : claim.incarnation + 1;
  self_.since = now;
  Announce();
  return Heard::kTaken;
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
                      .domain = claim.domain,
                      .metadata = claim.metadata,
                      .liveness = claim.liveness,
                      .since = same_state ? member.since : now - claim.age};
  const MemberInfo before = std::exchange(member, std::move(after));
  Count(member, +1);
  Attend(is_new ? nullptr : &before, member);
  if (IsOnTrial(claim.liveness)) {
    const bool is_new_trial = is_new || !IsOnTrial(before.liveness) ||
                              before.generation != claim.generation ||
                              before.incarnation != claim.incarnation;
    Try(now, claim, is_new_trial);
  } else if (!is_new && IsOnTrial(before.liveness)) {
    trials_.erase(claim.host);
    verdicts_.Clear(claim.host);
  }
  if (IsGone(claim.liveness)) updates_.ForgetTarget(claim.host);
  updates_.Push(claim.host);
  Tell(member, is_new ? nullptr : &before, reason);
  if (claim.liveness == Liveness::kSuspect) Judge(now, member);
}

// Keeps the guarded circles closed.
void Membership::Attend(const MemberInfo* before, const MemberInfo& after) {
  const bool was_present = before != nullptr && !IsGone(before->liveness);
  const bool is_present = !IsGone(after.liveness);
  if (is_present && !was_present) guards_.Present(after.host);
  if (is_present || !was_present || !guards_.Gone(after.host)) return;
  for (const auto& [host, member] : members_) {
    if (!IsGone(member.liveness)) guards_.Present(host);
  }
}

bool Membership::Join(Trial& trial, const Accusers& accusers) const {
  bool news = false;
  for (const Accuser& accuser : accusers.all()) news = trial.accusers.Add(accuser) || news;
  return news;
}

// The age that a claim brings is credited, so that all verdicts fall at about the same time; but
// only a part, since it is a stranger's word and the accused needs time after it was told.
void Membership::Try(base::Instant now, const Claim& claim, bool is_new_trial) {
  Trial& trial = trials_[claim.host];
  if (is_new_trial)
    trial = {now - std::min(claim.age, options_.suspicion_timeout / kAgeCreditPart), {}};
  if (options_.mode != Mode::kSwim) Join(trial, claim.accusers);
  SetVerdict(members_.at(claim.host), trial);
  if (options_.mode == Mode::kStarling && claim.liveness == Liveness::kSuspect)
    next_judgement_ = std::min(next_judgement_, now + kJudgementGap);
}

void Membership::SetVerdict(const MemberInfo& member, const Trial& trial) {
  const std::size_t accusers =
      member.liveness == Liveness::kUnreachable ? Accusers::kMax : trial.accusers.size();
  verdicts_.Set(member.host, trial.began + SuspicionTimeout(options_, present_ + 1, accusers));
}

// Did enough others find this suspect silent?
void Membership::Judge(base::Instant now, const MemberInfo& member) {
  const Trial& trial = trials_.at(member.host);
  SetVerdict(member, trial);
  if (options_.mode != Mode::kStarling || !Confirmed(trial.accusers, witnesses())) return;
  Claim claim = ClaimOf(member, now);
  claim.liveness = Liveness::kUnreachable;
  claim.age = base::Duration(0);
  Take(now, claim, fmt::format("found silent by {} of us", trial.accusers.size()));
}

// Who could accuse changes without any news of the suspect: as a partition is noticed, the other
// side's members cease to be witnesses, one by one.
void Membership::JudgeAll(base::Instant now) {
  next_judgement_ = base::Instant::Never();
  std::vector<base::HostId> confirmed;
  for (const auto& [host, trial] : trials_) {
    if (members_.at(host).liveness != Liveness::kSuspect) continue;
    next_judgement_ = now + kJudgementGap;
    if (Confirmed(trial.accusers, witnesses())) confirmed.push_back(host);
  }
  for (const base::HostId host : confirmed) Judge(now, members_.at(host));
}

void Membership::Count(const MemberInfo& member, int sign) {
  const auto signed_one = static_cast<std::size_t>(sign);  // Wraps around, on purpose.
  if (!IsGone(member.liveness)) present_ += signed_one;
  if (member.liveness == Liveness::kAlive) {
    alive_ += signed_one;
    if ((domains_[member.domain] += signed_one) == 0) domains_.erase(member.domain);
  }
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
    case Liveness::kUnreachable:
      if (!changed) break;
      ++counters_.unreachable;
      event(Event::kUnreachable);
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

void Membership::Accuse(base::Instant now, const Accusation& accusation) {
  const MemberInfo* member = Find(accusation.host);
  if (member == nullptr || member->generation != accusation.generation) return;
  Claim claim = ClaimOf(*member, now);
  claim.liveness = Liveness::kSuspect;
  claim.accusers = accusation.accusers;
  if (member->liveness == Liveness::kAlive)
    Take(now, claim, accusation.reason);
  else
    HearAgain(now, claim, *member);
}

void Membership::Vouch(base::Instant now, base::HostId host) {
  const auto found = trials_.find(host);
  if (options_.mode != Mode::kStarling || found == trials_.end()) return;
  found->second.began = now;
  SetVerdict(members_.at(host), found->second);
}

Accuser Membership::AsAccuser(base::HostId host) const {
  const MemberInfo* member = host == self_.host ? &self_ : Find(host);
  return {AccuserId(host), member == nullptr ? 0 : member->domain};
}

void Membership::OnTick(base::Instant now) {
  if (now >= next_judgement_) JudgeAll(now);
  while (const std::optional<base::HostId> host = verdicts_.TakeDue(now)) Execute(now, *host);
}

void Membership::Execute(base::Instant now, base::HostId host) {
  const MemberInfo& member = members_.at(host);
  CHECK(IsOnTrial(member.liveness));
  if (options_.mode == Mode::kStarling && member.liveness == Liveness::kSuspect) {
    // Nobody dies of one node's opinion. If it is silent to others as well, they will say so.
    verdicts_.Set(host, now + options_.probe_interval);
    return;
  }
  Claim claim = ClaimOf(member, now);
  claim.liveness = Liveness::kDead;
  claim.age = base::Duration(0);
  Take(now, claim,
       fmt::format("did not refute within {} ms", base::ToMs(now - trials_.at(host).began)));
}

void Membership::Late(base::Duration by) {
  for (auto& [host, trial] : trials_) {
    trial.began = trial.began + by;
    SetVerdict(members_.at(host), trial);
  }
}

void Membership::Slept(base::Instant now) {
  for (auto& [host, trial] : trials_) {
    trial.began = now;
    SetVerdict(members_.at(host), trial);
  }
}

void Membership::SetMetadata(base::Instant now, std::string metadata) {
  CHECK(metadata.size() <= options_.metadata_bytes_max);
  if (metadata == self_.metadata || left()) return;
  self_.metadata = std::move(metadata);
  CHECK(self_.incarnation < std::numeric_limits<std::uint32_t>::max());
  ++self_.incarnation;
  self_.since = now;
  Announce();
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
  Claim claim = ClaimAbout(member, now);
  const std::size_t bytes = BytesBound(claim);
  if (bytes > bytes_max) return false;
  bytes_max -= bytes;
  claims.push_back(std::move(claim));
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
  for (const auto& [host, member] : members_) claims.push_back(ClaimAbout(member, now));
  return claims;
}

Claim Membership::ClaimAbout(const MemberInfo& member, base::Instant now) const {
  Claim claim = ClaimOf(member, now);
  if (member.liveness == Liveness::kSuspect) claim.accusers = trials_.at(member.host).accusers;
  return claim;
}

}  // namespace starling::gossip
