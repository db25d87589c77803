// gossip/membership_trials.cc: from the first accusation to the verdict.
#include <fmt/core.h>

#include <array>

#include "base/check.h"
#include "base/mutants.h"
#include "gossip/membership.h"

namespace starling::gossip {
namespace {

constexpr base::Duration kJudgementGap = base::milliseconds(200);
constexpr int kAgeCreditPart = 4;

}  // namespace

void Membership::Accuse(base::Instant now, const Accusation& accusation) {
  const std::optional<Member> member = Find(accusation.host);
  if (!member || member->generation != accusation.generation) return;
  Claim claim = ClaimOf(*member, now);
  claim.liveness = Liveness::kSuspect;
  claim.accusers = accusation.accusers;
  if (member->liveness == Liveness::kAlive)
    Take(now, claim, accusation.reason);
  else
    HearAgain(now, claim, {member->generation, member->incarnation, member->liveness});
}

void Membership::Vouch(base::Instant now, base::HostId host) {
  const auto found = trials_.find(host);
  if (!options_.features().late_answers || found == trials_.end()) return;
  if (base::Mutant("gossip-no-vouch")) return;
  found->second.began = now;
  SetVerdict(host, found->second);
}

std::vector<Member> Membership::DrawConfirmers(std::size_t count, base::HostId accused) {
  if (witnesses().domains < 2) return DrawAlive(count, accused);
  std::vector<Member> drawn, spare;
  std::size_t neighbours = 0;
  const Permutation order(random_.Next(), table_.slots());
  for (std::size_t at = 0; at < order.size() && drawn.size() < count; ++at) {
    const auto slot = static_cast<Slot>(order.At(at));
    if (!table_.Has(slot) || table_.LivenessAt(slot) != Liveness::kAlive) continue;
    const Member member = table_.At(slot);
    if (member.host == accused) continue;
    if (member.domain != self_.domain || ++neighbours <= count - count / 2)
      drawn.push_back(member);
    else if (spare.size() < count)
      spare.push_back(member);
  }
  for (std::size_t at = 0; at < spare.size() && drawn.size() < count; ++at)
    drawn.push_back(spare[at]);
  return drawn;
}

Accuser Membership::AsAccuser(base::HostId host) const {
  if (host == self_.host) return {ShortId(host), self_.domain};
  const std::optional<Member> member = Find(host);
  return {ShortId(host), member ? member->domain : 0};
}

void Membership::Meet(base::HostId host) {
  const std::optional<Slot> slot = table_.SlotOf(host);
  if (!slot || table_.MetAt(*slot)) return;
  census_.Remove(*slot, RowAt(*slot));
  table_.SetMet(*slot);
  census_.Add(*slot, RowAt(*slot));
}

Claim Membership::ClaimToItself(const Member& member, base::Instant now) const {
  Claim claim = ClaimAbout(member, now);
  claim.metadata = {};
  return claim;
}

std::optional<Claim> Membership::AccusationOf(base::Instant now, base::HostId host) const {
  if (!options_.features().buddy_notice) return std::nullopt;
  const std::optional<Member> member = Find(host);
  if (!member || member->liveness == Liveness::kAlive) return std::nullopt;
  return ClaimToItself(*member, now);
}

void Membership::OnTick(base::Instant now) {
  if (now >= next_judgement_) JudgeAll(now);
  while (const std::optional<base::HostId> host = verdicts_.TakeDue(now)) Execute(now, *host);
}

void Membership::Execute(base::Instant now, base::HostId host) {
  const Member member = Known(host);
  CHECK(IsOnTrial(member.liveness));
  if (options_.features().confirmation && member.liveness == Liveness::kSuspect) {
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
    SetVerdict(host, trial);
  }
}

void Membership::Slept(base::Instant now) {
  for (auto& [host, trial] : trials_) {
    trial.began = now;
    SetVerdict(host, trial);
  }
}

bool Membership::Join(base::Instant now, Trial& trial, const Accusers& accusers) {
  bool news = false;
  for (const Accuser& accuser : accusers.all()) {
    if (!trial.accusers.Add(accuser)) continue;
    news = true;
    const auto all = trial.accusers.all();
    for (std::size_t at = 0; at < all.size(); ++at)
      if (all[at].id == accuser.id) trial.heard[at] = now;
  }
  return news;
}

std::string Membership::Name(const Accusers& accusers) const {
  const auto all = accusers.all();
  std::array<base::Address, Accusers::kMax> addresses{};
  ForEach([&](const Member& member) {
    for (std::size_t at = 0; at < all.size(); ++at)
      if (ShortId(member.host) == all[at].id) addresses[at] = member.address;
  });
  std::string text;
  for (std::size_t at = 0; at < all.size(); ++at) {
    if (at > 0) text += at + 1 < all.size() ? ", " : " and ";
    text += addresses[at].port != 0 ? addresses[at].ToString()
                                    : fmt::format("one unknown ({:016x})", all[at].id);
  }
  return text;
}

void Membership::AddTrialTo(MemberReport& report) const {
  const auto found = trials_.find(report.member.host);
  if (found == trials_.end()) return;
  const auto all = found->second.accusers.all();
  for (std::size_t at = 0; at < all.size(); ++at) {
    AccuserReport& accuser =
        report.accusers.emplace_back(AccuserReport{all[at].id, {}, found->second.heard[at]});
    ForEach([&](const Member& member) {
      if (ShortId(member.host) == accuser.short_id) accuser.host = member.host;
    });
  }
  report.verdict = verdicts_.Of(report.member.host);
}

// The age that a claim brings is credited, so that all verdicts fall at about the same time; but
// only a part, since it is a stranger's word and the accused needs time after it was told.
void Membership::Try(base::Instant now, const Claim& claim, bool is_new_trial) {
  const Features features = options_.features();
  const base::Duration credit =
      features.ages_credited ? std::min(claim.age, options_.suspicion_timeout / kAgeCreditPart)
                             : base::Duration(0);
  Trial& trial = trials_[claim.host];
  if (is_new_trial) trial = {now - credit, {}, {}};
  if (features.dogpile) Join(now, trial, claim.accusers);
  SetVerdict(claim.host, trial);
  if (features.confirmation && claim.liveness == Liveness::kSuspect)
    next_judgement_ = std::min(next_judgement_, now + kJudgementGap);
}

void Membership::SetVerdict(base::HostId host, const Trial& trial) {
  const bool confirmed = Known(host).liveness == Liveness::kUnreachable;
  const std::size_t accusers = confirmed ? Accusers::kMax : trial.accusers.size();
  verdicts_.Set(host, trial.began + SuspicionTimeout(options_, present() + 1, accusers));
}

// Did enough others find this suspect silent?
void Membership::Judge(base::Instant now, base::HostId host) {
  const Trial& trial = trials_.at(host);
  SetVerdict(host, trial);
  if (!options_.features().confirmation || !Confirmed(trial.accusers, witnesses())) return;
  Claim claim = ClaimOf(Known(host), now);
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
    if (Known(host).liveness != Liveness::kSuspect) continue;
    next_judgement_ = now + kJudgementGap;
    if (Confirmed(trial.accusers, witnesses())) confirmed.push_back(host);
  }
  for (const base::HostId host : confirmed) Judge(now, host);
}

}  // namespace starling::gossip
