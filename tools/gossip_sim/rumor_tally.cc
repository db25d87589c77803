// tools/gossip_sim/rumor_tally.cc: sums, and quantiles of what is kept.
#include "tools/gossip_sim/rumor_tally.h"

#include <algorithm>

#include "base/check.h"

namespace starling::gossip_sim {

void RumorTally::Add(const RumorRun& run) {
  ++runs_;
  ++rounds_[run.round_count()];
  complete_ += run.infected == nodes_ ? 1 : 0;
  residue_ += (nodes_ - run.infected) / nodes_;
  messages_ += static_cast<double>(run.messages) / nodes_;
  pulled_ += static_cast<double>(run.pulled) / nodes_;
  to_hear_ += run.rounds_to_hear;
  if (run.round_length > base::Duration(0)) seconds_.push_back(base::ToSeconds(run.last_heard));
  if (curves_.size() == kCurveRunsMax) return;
  std::vector<float>& curve = curves_.emplace_back();
  for (const RumorRound& round : run.rounds)
    curve.push_back(static_cast<float>(round.infected / nodes_));
}

RumorStatistics RumorTally::Statistics() const {
  CHECK(runs_ > 0);
  const auto count = static_cast<double>(runs_);
  return {.runs = runs_,
          .rounds = SummarizeRounds(),
          .complete = static_cast<double>(complete_) / count,
          .residue = residue_ / count,
          .messages_per_node = messages_ / count,
          .pulled_per_node = pulled_ / count,
          .rounds_to_hear = to_hear_ / count,
          .seconds = Summarize(seconds_)};
}

Summary RumorTally::SummarizeRounds() const {
  double sum = 0;
  for (const auto& [rounds, runs] : rounds_)
    sum += static_cast<double>(rounds) * static_cast<double>(runs);
  // The fewest rounds that at least the percentage of runs did not exceed.
  const auto at = [this](std::uint64_t percent) {
    std::uint64_t seen = 0;
    for (const auto& [rounds, runs] : rounds_) {
      seen += runs;
      if (100 * seen >= percent * runs_) return static_cast<double>(rounds);
    }
    CHECK(false);
  };
  return {.count = runs_,
          .mean = sum / static_cast<double>(runs_),
          .p50 = at(50),
          .p99 = at(99),
          .max = static_cast<double>(rounds_.rbegin()->first)};
}

std::vector<CurvePoint> RumorTally::Curve() const {
  std::size_t rounds = 0;
  for (const std::vector<float>& curve : curves_) rounds = std::max(rounds, curve.size());
  std::vector<CurvePoint> points;
  std::vector<float> shares(curves_.size());
  for (std::size_t round = 0; round < rounds; ++round) {
    double sum = 0;
    for (std::size_t run = 0; run < curves_.size(); ++run) {
      shares[run] = curves_[run][std::min(round, curves_[run].size() - 1)];
      sum += static_cast<double>(shares[run]);
    }
    std::sort(shares.begin(), shares.end());
    points.push_back({.round = static_cast<std::uint32_t>(round),
                      .mean = sum / static_cast<double>(shares.size()),
                      .low = static_cast<double>(shares[shares.size() * 5 / 100]),
                      .high = static_cast<double>(shares[(shares.size() - 1) * 95 / 100])});
  }
  return points;
}

}  // namespace starling::gossip_sim
