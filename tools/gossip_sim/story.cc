// tools/gossip_sim/story.cc: what is told, and what is summed up.
#include "tools/gossip_sim/story.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/json.h"

namespace starling::gossip_sim {
namespace {

// Whether the observer found it out by a probe of its own (gossip/prober.cc).
bool IsFirstHand(std::string_view reason) { return reason.starts_with("no ack"); }

std::string LineOf(const Told& told) {
  std::string line = fmt::format("{:10.3f} s  ", base::ToSeconds(told.at));
  if (told.observer)
    line += fmt::format("node {} holds node {} for {}", *told.observer, *told.subject, told.what);
  else if (told.subject)
    line += fmt::format("node {} {}", *told.subject, told.what);
  else
    line += told.what;
  if (told.incarnation > 0) line += fmt::format(" (incarnation {})", told.incarnation);
  if (!told.reason.empty()) line += ": " + told.reason;
  return line + "\n";
}

}  // namespace

bool Story::Concerns(const Told& told) const {
  return !options_.member || !told.subject || told.subject == options_.member ||
         told.observer == options_.member;
}

void Story::Add(const Told& told) {
  if (!Concerns(told)) return;
  if (!told.observer || options_.member) {
    lines_.push_back(told);
    return;
  }
  const auto [found, is_first] =
      spreads_.try_emplace({*told.subject, told.generation, told.incarnation, told.what});
  Spread& spread = found->second;
  ++spread.believers;
  spread.last = told;
  if (is_first) spread.told_by = lines_.size();
  if (is_first || IsFirstHand(told.reason)) lines_.push_back(told);
}

std::vector<Told> Story::Lines() const {
  std::vector<Told> lines = lines_;
  for (const auto& [belief, spread] : spreads_) {
    if (spread.believers < 2) continue;
    const base::Duration took = spread.last.at - lines_[spread.told_by].at;
    lines.push_back({.at = spread.last.at,
                     .what = fmt::format("is held for {} by {} nodes, the last of them node {}, "
                                         "{:.3f} s after the first",
                                         spread.last.what, spread.believers, *spread.last.observer,
                                         base::ToSeconds(took)),
                     .subject = spread.last.subject,
                     .generation = spread.last.generation,
                     .incarnation = spread.last.incarnation});
  }
  std::ranges::stable_sort(lines, {}, &Told::at);
  return lines;
}

std::string Story::Text() const {
  std::string text;
  for (const Told& told : Lines()) text += LineOf(told);
  return text;
}

std::string Story::JsonLines() const {
  std::string text;
  for (const Told& told : Lines()) {
    base::Json line = {{"at_s", base::ToSeconds(told.at)}, {"what", told.what}};
    if (told.subject) line.Set("node", *told.subject);
    if (told.observer) line.Set("observer", *told.observer);
    if (told.generation > 0) {
      line.Set("generation", told.generation);
      line.Set("incarnation", told.incarnation);
    }
    if (!told.reason.empty()) line.Set("reason", told.reason);
    text += line.Text() + "\n";
  }
  return text;
}

}  // namespace starling::gossip_sim
