// tools/gossip_sim/rumor_sim.cc: the rounds.
#include "tools/gossip_sim/rumor_sim.h"

#include "base/check.h"
#include "gossip/hot_rumor.h"

namespace starling::gossip_sim {
namespace {

using gossip::HotRumor;

struct Cluster {
  std::vector<bool> knows;
  std::vector<std::uint32_t> telling;  // Nodes, in the order in which they heard.
  std::vector<HotRumor> interest;      // By node; kFeedbackCounter only.
};

// All that happens in one round; the usefulness of a contact is judged by what its target knew
// when the round began (that, too, is what Demers' tables need).
RumorRound PlayRound(const RumorOptions& options, base::Random& random, Cluster& cluster) {
  RumorRound round;
  const std::vector<bool> knew = cluster.knows;
  std::vector<std::uint32_t> still_telling, heard;
  for (const std::uint32_t node : cluster.telling) {
    for (std::uint32_t i = 0; i < options.fanout; ++i) {
      const auto target = static_cast<std::uint32_t>(random.Below(options.nodes));
      ++round.messages;
      cluster.interest[node].Had(knew[target] ? HotRumor::Contact::kUnnecessary
                                              : HotRumor::Contact::kUseful);
      if (cluster.knows[target]) continue;
      cluster.knows[target] = true;
      heard.push_back(target);
    }
    if (options.variant == RumorVariant::kNaive || cluster.interest[node].hot())
      still_telling.push_back(node);
  }
  still_telling.insert(still_telling.end(), heard.begin(), heard.end());
  cluster.telling = std::move(still_telling);
  round.infected = static_cast<std::uint32_t>(heard.size());
  return round;
}

}  // namespace

RumorRun SpreadRumor(const RumorOptions& options, base::Random& random) {
  CHECK(options.nodes > 0);
  CHECK(options.fanout > 0);
  CHECK(options.counter_k > 0);
  Cluster cluster{.knows = std::vector<bool>(options.nodes),
                  .telling = {0},
                  .interest = std::vector<HotRumor>(options.nodes, HotRumor(options.counter_k))};
  cluster.knows[0] = true;
  RumorRun run{.rounds = {{.round = 0, .infected = 1, .messages = 0}}, .infected = 1};
  for (std::uint32_t number = 1; !cluster.telling.empty(); ++number) {
    if (options.variant == RumorVariant::kNaive && run.infected == options.nodes) break;
    RumorRound round = PlayRound(options, random, cluster);
    run.messages += round.messages;
    run.infected += round.infected;
    const bool changed = round.infected > 0;
    round.round = number;
    round.infected = run.infected;
    if (changed || options.variant == RumorVariant::kNaive) run.rounds.push_back(round);
  }
  return run;
}

RumorStatistics Summarize(const RumorOptions& options, const std::vector<RumorRun>& runs) {
  CHECK(!runs.empty());
  RumorStatistics statistics;
  std::vector<double> rounds;
  for (const RumorRun& run : runs) {
    rounds.push_back(run.round_count());
    if (run.infected == options.nodes) statistics.complete += 1;
    statistics.residue += static_cast<double>(options.nodes - run.infected) / options.nodes;
    statistics.messages_per_node += static_cast<double>(run.messages) / options.nodes;
  }
  const auto count = static_cast<double>(runs.size());
  statistics.rounds = Summarize(std::move(rounds));
  statistics.complete /= count;
  statistics.residue /= count;
  statistics.messages_per_node /= count;
  return statistics;
}

}  // namespace starling::gossip_sim
