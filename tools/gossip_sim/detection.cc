// tools/gossip_sim/detection.cc: noting verdicts, and how long they took.
#include "tools/gossip_sim/detection.h"

#include <algorithm>
#include <utility>

namespace starling::gossip_sim {

bool IsBelief(gossip::Event::Kind kind) {
  switch (kind) {
    case gossip::Event::kJoined:
    case gossip::Event::kAlive:
    case gossip::Event::kSuspect:
    case gossip::Event::kUnreachable:
    case gossip::Event::kDead:
    case gossip::Event::kLeft: return true;
    case gossip::Event::kUpdated:
    case gossip::Event::kRumor:
    case gossip::Event::kConflict:
    case gossip::Event::kClusterMismatch:
    case gossip::Event::kUnopened:
    case gossip::Event::kMalformed:
    case gossip::Event::kOtherVersion:
    case gossip::Event::kYielded:
    case gossip::Event::kUnanswered:
    case gossip::Event::kStreamOnly: return false;
  }
  return false;
}

void Detection::Killed(NodeIndex node, base::Instant now) {
  Fate& fate = fates_[node];
  fate.killed_at = now;
  fate.suspected_at.resize(fates_.size());
  fate.unreachable_at.resize(fates_.size());
  fate.dead_at.resize(fates_.size());
}

void Detection::Note(base::Instant now, NodeIndex observer, NodeIndex subject,
                     const gossip::Event& event) {
  const bool dead = event.kind == gossip::Event::kDead;
  const bool unreachable = event.kind == gossip::Event::kUnreachable;
  if (!dead && !unreachable && event.kind != gossip::Event::kSuspect) return;
  Fate& fate = fates_[subject];
  if (!fate.killed_at) {
    if (dead) ++(fate.paused ? false_deaths_paused_ : false_deaths_healthy_);
    if (unreachable && !fate.paused) ++false_unreachable_healthy_;
    return;
  }
  const auto note = [&](Times& times) {
    if (!times[observer]) times[observer] = now;
  };
  note(fate.suspected_at);
  if (dead || unreachable) note(fate.unreachable_at);
  if (dead) note(fate.dead_at);
}

Detection::Span Detection::SpanOf(const Times& times) const {
  Span span;
  for (NodeIndex observer = 0; observer < fates_.size(); ++observer) {
    if (fates_[observer].killed_at || fates_[observer].paused) continue;
    const std::optional<base::Instant>& when = times[observer];
    if (!when) {
      span.all = false;
      continue;
    }
    span.first = std::min(span.first.value_or(*when), *when);
    span.last = std::max(span.last.value_or(*when), *when);
  }
  return span;
}

void Detection::Fill(SwimReport& report) const {
  std::vector<double> first_suspect, first_dead, all_suspect, all_unreachable, all_know;
  std::size_t killed = 0;
  for (const Fate& fate : fates_) {
    if (!fate.killed_at) continue;
    ++killed;
    const auto add = [&](std::vector<double>& samples, const std::optional<base::Instant>& when) {
      if (when) samples.push_back(base::ToSeconds(*when - *fate.killed_at));
    };
    const Span suspect = SpanOf(fate.suspected_at);
    const Span unreachable = SpanOf(fate.unreachable_at);
    const Span dead = SpanOf(fate.dead_at);
    add(first_suspect, suspect.first);
    add(first_dead, dead.first);
    if (suspect.all) add(all_suspect, suspect.last);
    if (unreachable.all) add(all_unreachable, unreachable.last);
    if (dead.all) add(all_know, dead.last);
    if (!dead.all) ++report.not_all_knew;
  }
  const auto summarize = [&](std::vector<double>& samples) {
    Summary summary = Summarize(std::move(samples));
    summary.missing = killed - summary.count;
    return summary;
  };
  report.first_suspect_s = summarize(first_suspect);
  report.first_dead_s = summarize(first_dead);
  report.all_suspect_s = summarize(all_suspect);
  report.all_unreachable_s = summarize(all_unreachable);
  report.all_know_s = summarize(all_know);
  report.false_deaths_healthy = false_deaths_healthy_;
  report.false_deaths_paused = false_deaths_paused_;
  report.false_unreachable_healthy = false_unreachable_healthy_;
}

}  // namespace starling::gossip_sim
