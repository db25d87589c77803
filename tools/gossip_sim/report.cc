// tools/gossip_sim/report.cc: columns and field names.
#include "tools/gossip_sim/report.h"

#include <fmt/core.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

namespace starling::gossip_sim {
namespace {

using OrderedJson = nlohmann::ordered_json;

const char* Name(gossip::Mode mode) {
  switch (mode) {
    case gossip::Mode::kSwim: return "swim";
    case gossip::Mode::kLifeguard: return "lifeguard";
    case gossip::Mode::kStarling: return "starling";
  }
  return "?";
}

std::string Row(const char* name, const Summary& summary) {
  if (summary.count == 0) return fmt::format("  {:<16}{:>9}\n", name, "-");
  return fmt::format("  {:<16}{:>9.3f}{:>9.3f}{:>9.3f}{:>9.3f}\n", name, summary.mean, summary.p50,
                     summary.p99, summary.max);
}

OrderedJson ToJson(const Summary& summary) {
  if (summary.count == 0) return nullptr;
  return {{"mean", summary.mean}, {"p50", summary.p50}, {"p99", summary.p99}, {"max", summary.max}};
}

OrderedJson ToJson(std::optional<double> seconds) {
  if (!seconds) return nullptr;
  return *seconds;
}

}  // namespace

std::string Table(const SwimOptions& options, const SwimReport& report) {
  std::string table = fmt::format(
      "{}{}: {} nodes, loss {:.3g}, {} killed ({}), {} paused for {:.3g} s, {:.3g} s, seed {}\n"
      "all saw all {:.2f} s after the first boot\n\n"
      "  {:<16}{:>9}{:>9}{:>9}{:>9}\n",
      Name(options.gossip.mode), options.sealed ? ", sealed" : "", options.nodes, options.loss,
      options.kill, options.death == Death::kProcess ? "process" : "host", options.pause,
      base::ToSeconds(options.pause_for), base::ToSeconds(options.duration), options.seed,
      report.joined_after_s, "seconds to", "mean", "p50", "p99", "max");
  table += Row("first suspect", report.first_suspect_s);
  table += Row("all suspect", report.all_suspect_s);
  table += Row("all unreachable", report.all_unreachable_s);
  table += Row("first dead", report.first_dead_s);
  table += Row("all know", report.all_know_s);
  const auto add_agreed = [&](const char* after, std::optional<double> seconds, bool asked) {
    if (!asked) return;
    table += seconds ? fmt::format("  all agreed {:.2f} s after {}\n", *seconds, after)
                     : fmt::format("  all did not agree in time after {}\n", after);
  };
  table += "\n";
  add_agreed("the last boot", report.restarted_s, options.restart);
  add_agreed("the joins", report.joins_known_s, options.join > 0);
  add_agreed("the halves met", report.healed_s, options.partition_for > base::Duration(0));
  return table + fmt::format(
                     "  not known as dead by all    {}\n"
                     "  false deaths, healthy       {}\n"
                     "  false deaths, paused        {}\n"
                     "  unreachable, though healthy {}\n"
                     "  datagrams out               {:.1f} bytes/s and {:.2f} packets/s a node\n"
                     "  streams out                 {:.1f} bytes/s a node\n"
                     "  still told of joining       {} nodes, when the span began\n"
                     "  trace                       {:016x}\n",
                     report.not_all_knew, report.false_deaths_healthy, report.false_deaths_paused,
                     report.false_unreachable_healthy, report.bytes_per_node_s,
                     report.packets_per_node_s, report.stream_bytes_per_node_s, report.had_news,
                     report.trace_hash);
}

std::string Json(const SwimOptions& options, const SwimReport& report) {
  const nlohmann::ordered_json json = {
      {"nodes", options.nodes},
      {"loss", options.loss},
      {"kill", options.kill},
      {"death", options.death == Death::kProcess ? "process" : "host"},
      {"pause", options.pause},
      {"pause_for_s", base::ToSeconds(options.pause_for)},
      {"duration_s", base::ToSeconds(options.duration)},
      {"mode", Name(options.gossip.mode)},
      {"seed", options.seed},
      {"sealed", options.sealed},
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
      {"restarted_s", ToJson(report.restarted_s)},
      {"deaths_by_restart", report.deaths_by_restart},
      {"joins_known_s", ToJson(report.joins_known_s)},
      {"healed_s", ToJson(report.healed_s)},
      {"trace_hash", fmt::format("{:016x}", report.trace_hash)}};
  return json.dump(2) + "\n";
}

}  // namespace starling::gossip_sim
