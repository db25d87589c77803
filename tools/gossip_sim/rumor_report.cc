// tools/gossip_sim/rumor_report.cc: columns, field names, and what is plotted.
#include "tools/gossip_sim/rumor_report.h"

#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "base/json.h"
#include "tools/gossip_sim/svg_plot.h"

namespace starling::gossip_sim {
namespace {

constexpr double kBarCharacters = 40;  // Of the most frequent number of rounds.

base::Json JsonOf(const Summary& summary) {
  return {{"count", summary.count},
          {"mean", summary.mean},
          {"p50", summary.p50},
          {"p99", summary.p99},
          {"max", summary.max}};
}

std::string RoundAxis(const RumorOptions& options) {
  return options.variant == RumorVariant::kStarling ? "rounds of 200 ms" : "rounds";
}

svg::Panel SpreadPanel(const RumorOptions& options) {
  return {.title = "Spread",
          .x_axis = RoundAxis(options),
          .y_axis = "nodes that know",
          .y_unit = svg::Unit::kPercent};
}

std::string Title(const RumorOptions& options) {
  return fmt::format("One rumor, {} nodes: {}", options.nodes, NameOf(options.variant));
}

}  // namespace

std::string_view NameOf(RumorVariant variant) {
  switch (variant) {
    case RumorVariant::kNaive: return "naive";
    case RumorVariant::kFeedbackCounter: return "feedback-counter";
    case RumorVariant::kFeedbackCoin: return "feedback-coin";
    case RumorVariant::kBlindCounter: return "blind-counter";
    case RumorVariant::kBlindCoin: return "blind-coin";
    case RumorVariant::kStarling: return "starling";
  }
  CHECK(false);
}

std::string_view NameOf(RumorDirection direction) {
  switch (direction) {
    case RumorDirection::kPush: return "push";
    case RumorDirection::kPull: return "pull";
    case RumorDirection::kPushPull: return "push-pull";
  }
  CHECK(false);
}

std::string Describe(const RumorOptions& options) {
  std::string text = fmt::format("{} nodes, fanout {}, {}", options.nodes, options.fanout,
                                 NameOf(options.variant));
  if (options.variant != RumorVariant::kStarling)
    text += fmt::format(" {}", NameOf(options.direction));
  if (options.variant != RumorVariant::kNaive) text += fmt::format(", k={}", options.counter_k);
  if (options.loss > 0) text += fmt::format(", loss {:.3g}", options.loss);
  return text;
}

std::string Verdict(const RumorOptions& options, const RumorRun& run) {
  const char* rounds = run.round_count() == 1 ? "round" : "rounds";
  // Where nearly all is lost, even naive gives up at some time.
  if (options.variant == RumorVariant::kNaive && run.infected == options.nodes) {
    return fmt::format("Update fully converged to all {} nodes in {} {}.", options.nodes,
                       run.round_count(), rounds);
  }
  return fmt::format("reached {} of {} nodes in {} {}.", run.infected, options.nodes,
                     run.round_count(), rounds);
}

std::string Table(const RumorRun& run) {
  std::string table = fmt::format("{:>6}{:>10}{:>10}\n", "round", "infected", "messages");
  for (const RumorRound& round : run.rounds) {
    fmt::format_to(std::back_inserter(table), "{:>6}{:>10}{:>10}\n", round.round, round.infected,
                   round.messages);
  }
  return table;
}

std::string Table(const RumorTally& tally) {
  const RumorStatistics statistics = tally.Statistics();
  std::uint64_t most = 0;
  for (const auto& [rounds, runs] : tally.rounds()) most = std::max(most, runs);
  std::string table = fmt::format("{:>6}{:>10}{:>9}\n", "rounds", "runs", "share");
  for (const auto& [rounds, runs] : tally.rounds()) {
    const auto count = static_cast<double>(runs);
    const auto bar = static_cast<std::size_t>(kBarCharacters * count / static_cast<double>(most));
    fmt::format_to(std::back_inserter(table), "{:>6}{:>10}{:>8.2f}%{}{}\n", rounds, runs,
                   100 * count / static_cast<double>(statistics.runs), bar > 0 ? "  " : "",
                   std::string(bar, '#'));
  }
  const Summary& rounds = statistics.rounds;
  table += fmt::format("\nrounds    mean {:.3f}  p50 {:.0f}  p99 {:.0f}  max {:.0f}\n", rounds.mean,
                       rounds.p50, rounds.p99, rounds.max);
  if (statistics.seconds.count > 0) {
    table += fmt::format("seconds   mean {:.3f}  p50 {:.3f}  p99 {:.3f}  max {:.3f}\n",
                         statistics.seconds.mean, statistics.seconds.p50, statistics.seconds.p99,
                         statistics.seconds.max);
  }
  return table + fmt::format(
                     "complete  {:.2f} % of runs, residue s = {:.3g} of nodes (mean)\n"
                     "traffic   m = {:.3f} messages a node (mean), of which {:.3f} were pulled\n"
                     "delay     t_ave = {:.2f}, t_last = {:.2f} rounds (mean)\n",
                     100 * statistics.complete, statistics.residue, statistics.messages_per_node,
                     statistics.pulled_per_node, statistics.rounds_to_hear, rounds.mean);
}

std::string Csv(const RumorRun& run) {
  std::string csv = "round,infected,messages\n";
  for (const RumorRound& round : run.rounds)
    csv += fmt::format("{},{},{}\n", round.round, round.infected, round.messages);
  return csv;
}

std::string CsvLine(std::uint64_t number, std::uint64_t seed, const RumorRun& run) {
  return fmt::format("{},{},{},{},{}\n", number, seed, run.round_count(), run.infected,
                     run.messages);
}

std::string Json(const RumorOptions& options, std::uint64_t seed, const RumorTally& tally) {
  const RumorStatistics statistics = tally.Statistics();
  base::Json json = {{"nodes", options.nodes},
                     {"fanout", options.fanout},
                     {"variant", NameOf(options.variant)},
                     {"direction", NameOf(options.direction)},
                     {"counter", options.counter_k},
                     {"loss", options.loss},
                     {"seed", seed},
                     {"runs", statistics.runs},
                     {"rounds", JsonOf(statistics.rounds)},
                     {"complete", statistics.complete},
                     {"residue", statistics.residue},
                     {"messages_per_node", statistics.messages_per_node},
                     {"pulled_per_node", statistics.pulled_per_node},
                     {"t_ave", statistics.rounds_to_hear},
                     {"t_last", statistics.rounds.mean}};
  if (statistics.seconds.count > 0) json.Set("seconds", JsonOf(statistics.seconds));
  base::Json distribution = base::Json::Array(), spread = base::Json::Array();
  for (const auto& [rounds, runs] : tally.rounds())
    distribution.Append({{"rounds", rounds}, {"runs", runs}});
  for (const CurvePoint& point : tally.Curve()) {
    spread.Append(
        {{"round", point.round}, {"mean", point.mean}, {"p5", point.low}, {"p95", point.high}});
  }
  json.Set("distribution", std::move(distribution));
  json.Set("spread", std::move(spread));
  return json.Text(base::Json::Layout::kIndented) + "\n";
}

std::string Svg(const RumorOptions& options, std::uint64_t seed, const RumorRun& run) {
  svg::Panel spread = SpreadPanel(options);
  svg::Panel sent{.title = "Traffic", .x_axis = RoundAxis(options), .y_axis = "rumors sent"};
  svg::Line& line = spread.lines.emplace_back(svg::Line{.name = "this run"});
  svg::Bars& bars = sent.bars.emplace_back(svg::Bars{.name = "in the round"});
  for (const RumorRound& round : run.rounds) {
    line.points.push_back(
        {static_cast<double>(round.round), static_cast<double>(round.infected) / options.nodes});
    if (round.messages > 0)
      bars.points.push_back(
          {static_cast<double>(round.round), static_cast<double>(round.messages)});
  }
  return svg::Draw(Title(options), fmt::format("{}; seed {}", Describe(options), seed),
                   {spread, sent});
}

std::string Svg(const RumorOptions& options, std::uint64_t seed, const RumorTally& tally) {
  const RumorStatistics statistics = tally.Statistics();
  svg::Panel spread = SpreadPanel(options);
  svg::Line& mean = spread.lines.emplace_back(svg::Line{.name = "mean"});
  svg::Band& band = spread.bands.emplace_back(svg::Band{.name = "5 % to 95 % of runs"});
  for (const CurvePoint& point : tally.Curve()) {
    const auto round = static_cast<double>(point.round);
    mean.points.push_back({round, point.mean});
    band.slices.push_back({round, point.low, point.high});
  }
  svg::Panel distribution{.title = "Rounds until the last node heard",
                          .x_axis = RoundAxis(options),
                          .y_axis = "runs",
                          .y_unit = svg::Unit::kPercent};
  svg::Bars& bars = distribution.bars.emplace_back(
      svg::Bars{.name = fmt::format("mean {:.2f}, p50 {:.0f}, p99 {:.0f}", statistics.rounds.mean,
                                    statistics.rounds.p50, statistics.rounds.p99)});
  for (const auto& [rounds, runs] : tally.rounds()) {
    bars.points.push_back({static_cast<double>(rounds),
                           static_cast<double>(runs) / static_cast<double>(statistics.runs)});
  }
  const std::string subtitle = fmt::format(
      "{}; {} runs, seed {}; {:.4g} % complete, {:.3g} messages a node", Describe(options),
      statistics.runs, seed, 100 * statistics.complete, statistics.messages_per_node);
  return svg::Draw(Title(options), subtitle, {spread, distribution});
}

}  // namespace starling::gossip_sim
