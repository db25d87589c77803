// tools/gossip_sim/rumor_sim.cc: the rounds of the classic variants.
#include "tools/gossip_sim/rumor_sim.h"

#include <fmt/core.h>

#include <optional>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "gossip/hot_rumor.h"
#include "tools/gossip_sim/rumor_core_sim.h"

namespace starling::gossip_sim {
namespace {

using Contact = gossip::HotRumor::Contact;

constexpr std::uint32_t kNever = ~0U;
// Even at 99 % loss the slowest variant needs some thousand; beyond, loss is as good as total.
constexpr std::uint32_t kRoundsMax = 100'000;

base::Status InRange(const char* flag, std::uint32_t value, std::uint32_t max) {
  if (value >= 1 && value <= max) return base::Ok();
  return base::InvalidArgument(fmt::format("{} is {}, and must be 1 to {}", flag, value, max));
}

class Rounds {
 public:
  Rounds(const RumorOptions& options, std::uint64_t seed)
      : options_(options),
        random_(seed),
        heard_(options.nodes, kNever),
        coin_(options.variant == RumorVariant::kFeedbackCoin ||
              options.variant == RumorVariant::kBlindCoin),
        blind_(options.variant == RumorVariant::kBlindCounter ||
               options.variant == RumorVariant::kBlindCoin),
        interest_(options.nodes, gossip::HotRumor(coin_ ? 1 : options.counter_k)),
        asked_(options.direction == RumorDirection::kPush ? 0 : options.nodes) {}

  RumorRun Run() {
    heard_[0] = 0;
    telling_ = {0};
    RumorRun run{.rounds = {{.round = 0, .infected = 1}}, .infected = 1};
    std::uint64_t heard_rounds = 0;
    const bool endless = options_.variant == RumorVariant::kNaive;
    while (!telling_.empty() && round_ < kRoundsMax) {
      if (endless && run.infected == options_.nodes) break;
      ++round_;
      messages_ = 0;
      if (options_.direction != RumorDirection::kPull) Push();
      if (options_.direction != RumorDirection::kPush) Pull(run);
      EndRound();
      run.messages += messages_;
      run.infected += static_cast<std::uint32_t>(news_);
      heard_rounds += news_ * round_;
      run.rounds.push_back({.round = round_, .infected = run.infected, .messages = messages_});
    }
    while (run.round_count() > 0 && run.rounds[run.rounds.size() - 2].infected == run.infected)
      run.rounds.pop_back();
    if (run.infected > 1)
      run.rounds_to_hear = static_cast<double>(heard_rounds) / (run.infected - 1);
    return run;
  }

 private:
  // Of one node in one round, by all that asked it.
  enum Asked : std::uint8_t { kNotTelling, kNot, kInVain, kUsefully };

  // What a contact is worth is judged by what was known when the round began: else Demers' tables
  // don't come out (docs/gossip.md).
  bool KnewBefore(std::uint32_t node) const { return heard_[node] < round_; }

  std::uint32_t Draw() { return static_cast<std::uint32_t>(random_.Below(options_.nodes)); }
  bool Lost() { return options_.loss > 0 && random_.Chance(options_.loss); }

  void Push() {
    for (const std::uint32_t node : telling_) {
      for (std::uint32_t i = 0; i < options_.fanout; ++i) {
        const std::uint32_t target = Draw();
        ++messages_;
        if (Lost()) {
          Had(node, std::nullopt);
          continue;
        }
        const Contact contact = KnewBefore(target) ? Contact::kUnnecessary : Contact::kUseful;
        Infect(target);
        Had(node, Lost() ? std::nullopt : std::optional(contact));
      }
    }
  }

  void Pull(RumorRun& run) {
    for (const std::uint32_t node : telling_) asked_[node] = kNot;
    for (std::uint32_t node = 0; node < options_.nodes; ++node) {
      for (std::uint32_t i = 0; i < options_.fanout; ++i) {
        const std::uint32_t target = Draw();
        if (asked_[target] == kNotTelling || Lost()) continue;
        ++messages_;
        ++run.pulled;
        if (!KnewBefore(node))
          asked_[target] = kUsefully;  // It says what it knows: no feedback can be lost.
        else if (asked_[target] == kNot)
          asked_[target] = kInVain;
        if (!Lost()) Infect(node);
      }
    }
    // All that asked it in a round count as one contact, which is useful if any of them needed it.
    for (const std::uint32_t node : telling_) {
      const std::uint8_t asked = std::exchange(asked_[node], kNotTelling);
      if (asked != kNot) Had(node, asked == kUsefully ? Contact::kUseful : Contact::kUnnecessary);
    }
  }

  void Infect(std::uint32_t node) {
    if (heard_[node] != kNever) return;
    heard_[node] = round_;
    heard_now_.push_back(node);
  }

  // nullopt: no answer came.
  void Had(std::uint32_t node, std::optional<Contact> contact) {
    if (options_.variant == RumorVariant::kNaive) return;
    if (blind_) contact = Contact::kUnnecessary;
    if (!contact) return;
    const bool spared =
        coin_ && *contact == Contact::kUnnecessary && random_.Below(options_.counter_k) != 0;
    if (!spared) interest_[node].Had(*contact);
  }

  bool hot(std::uint32_t node) const { return interest_[node].hot(); }

  void EndRound() {
    std::erase_if(telling_, [this](std::uint32_t node) { return !hot(node); });
    telling_.insert(telling_.end(), heard_now_.begin(), heard_now_.end());
    news_ = heard_now_.size();
    heard_now_.clear();
  }

  const RumorOptions& options_;
  base::Random random_;
  std::uint32_t round_ = 0;
  std::uint64_t messages_ = 0;        // In this round.
  std::uint64_t news_ = 0;            // Nodes that heard in the last one.
  std::vector<std::uint32_t> heard_;  // By node: in which round, or kNever.
  const bool coin_;                   // Its toss decides whether a contact counts.
  const bool blind_;
  std::vector<gossip::HotRumor> interest_;  // By node.
  std::vector<std::uint8_t> asked_;         // By node, in this round; not of push.
  std::vector<std::uint32_t> telling_;      // Nodes, in the order in which they heard.
  std::vector<std::uint32_t> heard_now_;    // In this round.
};

}  // namespace

base::Status RumorOptions::Validate() const {
  RETURN_IF_ERROR(InRange("--nodes", nodes, kRumorNodesMax));
  RETURN_IF_ERROR(InRange("--fanout", fanout, kRumorFanoutMax));
  RETURN_IF_ERROR(InRange("--counter", counter_k, 100));
  if (!(loss >= 0 && loss < 1))  // NaN too.
    return base::InvalidArgument(fmt::format("--loss is {}, and must be in [0, 1)", loss));
  if (variant == RumorVariant::kStarling && direction != RumorDirection::kPush)
    return base::InvalidArgument("--direction is of the classic variants, and not of starling");
  return base::Ok();
}

RumorRun SpreadRumor(const RumorOptions& options, std::uint64_t seed) {
  CHECK(options.Validate().ok());
  if (options.variant == RumorVariant::kStarling) return SpreadThroughCores(options, seed);
  return Rounds(options, seed).Run();
}

}  // namespace starling::gossip_sim
