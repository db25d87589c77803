// tools/gossip_sim/report.cc: columns and field names.
#include "tools/gossip_sim/report.h"

#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "tools/gossip_sim/command_line.h"
#include "tools/gossip_sim/svg_plot.h"

namespace starling::gossip_sim {
namespace {

using OrderedJson = nlohmann::ordered_json;

std::string Row(const char* name, const Summary& summary) {
  if (summary.count + summary.missing == 0) return fmt::format("  {:<16}{:>9}\n", name, "-");
  const std::string counts = fmt::format("{:>8}{:>9}\n", summary.count, summary.missing);
  if (summary.count == 0)
    return fmt::format("  {:<16}{:>9}{:>9}{:>9}{:>9}{}", name, "-", "-", "-", "-", counts);
  return fmt::format("  {:<16}{:>9.3f}{:>9.3f}{:>9.3f}{:>9.3f}{}", name, summary.mean, summary.p50,
                     summary.p99, summary.max, counts);
}

// Of deaths: null if there were none. Those that were not noticed in the span are in no figure.
OrderedJson ToJson(const Summary& summary) {
  if (summary.count + summary.missing == 0) return nullptr;
  const bool none = summary.count == 0;
  const auto figure = [&](double value) { return none ? OrderedJson() : OrderedJson(value); };
  return {{"count", summary.count},       {"missing", summary.missing},
          {"mean", figure(summary.mean)}, {"p50", figure(summary.p50)},
          {"p99", figure(summary.p99)},   {"max", figure(summary.max)},
          {"samples", summary.samples}};
}

OrderedJson Seconds(const Agreement& agreement) {
  return agreement.after_s ? OrderedJson(*agreement.after_s) : OrderedJson();
}

// null: not asked for.
OrderedJson Agreed(const Agreement& agreement) {
  return agreement.asked ? OrderedJson(agreement.after_s.has_value()) : OrderedJson();
}

std::string ChurnRows(const SwimReport& report) {
  if (!report.churned.asked) return "";
  return fmt::format(
      "  news of the churn           {} at most, of a node, in {} places\n"
      "  deaths by the churn         {}\n",
      report.churn_news.waiting, report.churn_news.slots, report.deaths_by_churn);
}

OrderedJson ToJson(Restart restart) {
  switch (restart) {
    case Restart::kNone: return nullptr;
    case Restart::kOneByOne: return "one by one";
    case Restart::kAll: return "all";
  }
  CHECK(false);
}

}  // namespace

std::string Table(const SwimOptions& options, const SwimReport& report) {
  std::string table = fmt::format(
      "{}{}: {} nodes, loss {:.3g}, {} killed ({}), {} paused for {:.3g} s, {:.3g} s, seed {}\n"
      "all saw all {:.2f} s after the first boot\n\n"
      "  {:<16}{:>9}{:>9}{:>9}{:>9}{:>8}{:>9}\n",
      NameOf(options.gossip.mode), options.sealed ? ", sealed" : "", options.nodes, options.loss,
      options.kill, options.death == Death::kProcess ? "process" : "host", options.pause,
      base::ToSeconds(options.pause_for), base::ToSeconds(options.duration), options.seed,
      report.joined_after_s, "seconds to", "mean", "p50", "p99", "max", "deaths", "missing");
  table += Row("first suspect", report.first_suspect_s);
  table += Row("all suspect", report.all_suspect_s);
  table += Row("all unreachable", report.all_unreachable_s);
  table += Row("first dead", report.first_dead_s);
  table += Row("all know", report.all_know_s);
  const auto add_agreed = [&](const char* after, const Agreement& agreement) {
    if (!agreement.asked) return;
    table += agreement.missed()
                 ? fmt::format("  all did not agree within {} s after {}\n",
                               kAgreeLimit / base::seconds(1), after)
                 : fmt::format("  all agreed {:.2f} s after {}\n", *agreement.after_s, after);
  };
  table += "\n";
  add_agreed("the last boot", report.restarted);
  add_agreed("the joins", report.joins_known);
  if (options.join > 0)
    table += fmt::format("  streams of the joins        {:.3f} MB at most, of a node, in and out\n",
                         static_cast<double>(report.stream_bytes_max) / 1e6);
  add_agreed("the halves met", report.healed);
  add_agreed("the last boot of the churn", report.churned);
  table += ChurnRows(report);
  const auto restart_deaths = [&] {
    if (options.restart == Restart::kNone) return std::string();
    return fmt::format("  deaths by the restart       {}\n", report.deaths_by_restart);
  };
  return table + fmt::format(
                     "  not known as dead by all    {}\n"
                     "  false deaths, healthy       {}\n"
                     "  false deaths, paused        {}\n"
                     "  unreachable, though healthy {}\n"
                     "  datagrams out               {:.1f} bytes/s and {:.2f} packets/s a node\n"
                     "  streams out                 {:.1f} bytes/s a node\n"
                     "{}"
                     "  still told of joining       {} nodes, when the span began\n"
                     "  trace                       {:016x}\n",
                     report.not_all_knew, report.false_deaths_healthy, report.false_deaths_paused,
                     report.false_unreachable_healthy, report.bytes_per_node_s,
                     report.packets_per_node_s, report.stream_bytes_per_node_s, restart_deaths(),
                     report.had_news, report.trace_hash);
}

namespace {

OrderedJson Object(const SwimOptions& options, const SwimReport& report) {
  const bool ours = options.gossip.mode == gossip::Mode::kStarling;
  return {{"command", CommandLine(options)},
          {"nodes", options.nodes},
          {"loss", options.loss},
          {"kill", options.kill},
          {"death", options.death == Death::kProcess ? "process" : "host"},
          {"pause", options.pause},
          {"pause_for_s", base::ToSeconds(options.pause_for)},
          {"pause_again_s", base::ToSeconds(options.pause_again)},
          {"wakes_to", NameOf(options.wakes)},
          {"duration_s", base::ToSeconds(options.duration)},
          {"mode", NameOf(options.gossip.mode)},
          {"seed", options.seed},
          {"sealed", options.sealed},
          {"changing_load", options.changing_load},
          {"data_connections", options.data_connections},
          {"data_peers", options.data_peers},
          {"one_way", options.one_way},
          {"restart", ToJson(options.restart)},
          {"boot_within_s", base::ToSeconds(options.boot_within)},
          {"join", options.join},
          {"partition_s", base::ToSeconds(options.partition_for)},
          {"churn_s", base::ToSeconds(options.churn_within)},
          {"churn_for_s", base::ToSeconds(options.churn_for)},
          {"probe_interval_s", base::ToSeconds(options.gossip.probe_interval)},
          {"ack_timeout_s", base::ToSeconds(options.gossip.ack_timeout)},
          // The other modes have a formula in its place.
          {"suspicion_timeout_s",
           ours ? OrderedJson(base::ToSeconds(options.gossip.suspicion_timeout)) : OrderedJson()},
          {"joined_after_s", report.joined_after_s},
          {"had_news_at_start", report.had_news},
          {"first_suspect_s", ToJson(report.first_suspect_s)},
          {"all_suspect_s", ToJson(report.all_suspect_s)},
          {"all_unreachable_s", ToJson(report.all_unreachable_s)},
          {"first_dead_s", ToJson(report.first_dead_s)},
          {"all_know_s", ToJson(report.all_know_s)},
          {"not_all_knew", report.not_all_knew},
          {"false_deaths_healthy", report.false_deaths_healthy},
          {"false_deaths_paused", report.false_deaths_paused},
          {"false_unreachable_healthy", report.false_unreachable_healthy},
          {"bytes_per_node_s", report.bytes_per_node_s},
          {"packets_per_node_s", report.packets_per_node_s},
          {"stream_bytes_per_node_s", report.stream_bytes_per_node_s},
          {"agree_limit_s", base::ToSeconds(kAgreeLimit)},
          {"restart_agreed", Agreed(report.restarted)},
          {"restarted_s", Seconds(report.restarted)},
          {"deaths_by_restart", report.deaths_by_restart},
          {"joins_agreed", Agreed(report.joins_known)},
          {"joins_known_s", Seconds(report.joins_known)},
          {"joins_stream_bytes_max", report.stream_bytes_max},
          {"halves_agreed", Agreed(report.healed)},
          {"healed_s", Seconds(report.healed)},
          {"churn_agreed", Agreed(report.churned)},
          {"churned_s", Seconds(report.churned)},
          {"churn_news_max", report.churn_news.waiting},
          {"churn_news_slots_max", report.churn_news.slots},
          {"deaths_by_churn", report.deaths_by_churn},
          {"trace_hash", fmt::format("{:016x}", report.trace_hash)}};
}

// Of the fields of an Object.
bool IsDistribution(std::string_view name) {
  constexpr std::array<std::string_view, 5> kDistributions = {
      "first_suspect_s", "all_suspect_s", "all_unreachable_s", "first_dead_s", "all_know_s"};
  return std::ranges::find(kDistributions, name) != kDistributions.end();
}

std::string Subtitle(const SwimOptions& options) {
  return fmt::format("{}, loss {:.3g}, {} killed ({}), seed {}", NameOf(options.gossip.mode),
                     options.loss, options.kill,
                     options.death == Death::kProcess ? "process" : "host", options.seed);
}

// The share of samples that are at most x.
svg::Line Cumulative(std::string name, const Summary& summary) {
  svg::Line line{.name = std::move(name), .points = {{0, 0}}};
  const auto count = static_cast<double>(summary.samples.size());
  double below = 0;
  for (const double sample : summary.samples) {
    line.points.push_back({sample, below / count});
    line.points.push_back({sample, ++below / count});
  }
  return line;
}

svg::Panel DetectionPanel(const SwimReport& report) {
  svg::Panel panel{.title = "Detection",
                   .x_axis = "seconds after the death",
                   .y_axis = "share of deaths",
                   .y_unit = svg::Unit::kPercent};
  const auto add = [&](const char* name, const Summary& summary) {
    if (summary.count > 0) panel.lines.push_back(Cumulative(name, summary));
  };
  add("first suspect", report.first_suspect_s);
  add("unreachable for all", report.all_unreachable_s);
  add("first dead", report.first_dead_s);
  add("dead for all", report.all_know_s);
  return panel;
}

std::vector<svg::Panel> OverSizes(const std::vector<SwimPlayed>& played) {
  const char* const axis = "nodes, as powers of ten";
  svg::Panel traffic{.title = "Traffic", .x_axis = axis, .y_axis = "bytes a node and second"};
  svg::Panel detection{.title = "Detection", .x_axis = axis, .y_axis = "seconds, p99"};
  svg::Line datagrams{.name = "datagrams"}, streams{.name = "streams"};
  svg::Line suspect{.name = "first suspect"}, know{.name = "dead for all"};
  for (const auto& [options, report] : played) {
    const double x = std::log10(options.nodes);
    datagrams.points.push_back({x, report.bytes_per_node_s});
    streams.points.push_back({x, report.stream_bytes_per_node_s});
    if (report.first_suspect_s.count > 0) suspect.points.push_back({x, report.first_suspect_s.p99});
    if (report.all_know_s.count > 0) know.points.push_back({x, report.all_know_s.p99});
  }
  traffic.lines = {datagrams, streams};
  detection.lines = {suspect, know};
  return {traffic, detection};
}

}  // namespace

std::string Json(const SwimOptions& options, const SwimReport& report) {
  return Object(options, report).dump(2) + "\n";
}

std::string Json(const std::vector<SwimPlayed>& played) {
  if (played.size() == 1) return Json(played[0].options, played[0].report);
  OrderedJson all = OrderedJson::array();
  for (const auto& [options, report] : played) all.push_back(Object(options, report));
  return all.dump(2) + "\n";
}

std::string Csv(const std::vector<SwimPlayed>& played) {
  std::string csv;
  for (const auto& [options, report] : played) {
    std::string head, line;
    const auto add = [&](const std::string& name, const OrderedJson& value) {
      const char* const comma = head.empty() ? "" : ",";
      head += comma + name;
      line += comma;
      if (!value.is_null()) line += value.is_string() ? value.get<std::string>() : value.dump();
    };
    const OrderedJson object = Object(options, report);
    for (const auto& [name, value] : object.items()) {
      if (!IsDistribution(name)) {
        add(name, value);
        continue;
      }
      for (const char* const each : {"count", "missing", "mean", "p50", "p99", "max"})
        add(fmt::format("{}_{}", name, each), value.is_null() ? OrderedJson() : value.at(each));
    }
    if (csv.empty()) csv = head + "\n";
    csv += line + "\n";
  }
  return csv;
}

std::string Svg(const std::vector<SwimPlayed>& played) {
  CHECK(!played.empty());
  const SwimOptions& options = played[0].options;
  if (played.size() > 1) return svg::Draw("SWIM by size", Subtitle(options), OverSizes(played));
  return svg::Draw(fmt::format("SWIM, {} nodes", options.nodes), Subtitle(options),
                   {DetectionPanel(played[0].report)});
}

}  // namespace starling::gossip_sim
