// tools/gossip_sim/main.cc: gossip-sim's flags. What they do is in commands.h.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "tools/gossip_sim/command_line.h"
#include "tools/gossip_sim/commands.h"
#include "tools/gossip_sim/rumor_report.h"
#include "tools/parse_error.h"
#include "tools/say.h"

namespace {

using namespace starling::gossip_sim;  // NOLINT: this file is nothing but their front.

constexpr starling::base::Duration kClassicAckTimeout = starling::base::milliseconds(500);

CLI::Option* AddDuration(CLI::App& app, const std::string& flag, starling::base::Duration& into,
                         const std::string& help) {
  const auto parse = [flag, &into](const CLI::results_t& given) {
    const auto duration = ParseDuration(given.at(0));
    if (!duration) throw CLI::ValidationError(flag + ": " + duration.error().message());
    into = *duration;
    return true;
  };
  return app.add_option(flag, parse, help)->type_name("TIME");
}

// CLI11 itself takes -1, and what is too large, for the largest.
template <typename Number>
Number ParseNumber(const std::string& flag, std::string_view text) {
  Number number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && rest == end) return number;
  throw CLI::ValidationError(fmt::format("{}: '{}' is no number from 0 to {}", flag, text,
                                         std::numeric_limits<Number>::max()));
}

CLI::Option* AddSeed(CLI::App& app, const std::string& flag, std::uint64_t& into,
                     const std::string& help) {
  const auto parse = [flag, &into](const CLI::results_t& given) {
    into = ParseNumber<std::uint64_t>(flag, given.at(0));
    return true;
  };
  return app.add_option(flag, parse, help)->type_name("UINT");
}

// One of a few names, the first of which is the default.
template <typename Value>
void AddChoice(CLI::App& app, const std::string& flag, Value& into,
               const std::vector<std::pair<std::string, Value>>& choices, const std::string& help) {
  std::string names;
  for (const auto& [name, value] : choices) names += (names.empty() ? "" : "|") + name;
  const auto parse = [flag, names, choices, &into](const CLI::results_t& given) {
    for (const auto& [name, value] : choices) {
      if (name != given.at(0)) continue;
      into = value;
      return true;
    }
    throw CLI::ValidationError(fmt::format("{}: '{}' is none of {}", flag, given.at(0), names));
  };
  app.add_option(flag, parse, fmt::format("{} [{}]", help, choices.front().first))
      ->type_name(names);
}

template <typename Value>
std::vector<std::pair<std::string, Value>> Named(std::initializer_list<Value> values) {
  std::vector<std::pair<std::string, Value>> named;
  for (const Value value : values) named.emplace_back(NameOf(value), value);
  return named;
}

// What would be ignored is not taken.
void RefuseGiven(const CLI::App& app, const std::string& flag, const std::string& why) {
  if (app.count(flag) > 0)
    throw CLI::ValidationError(fmt::format("{} has no meaning {}", flag, why));
}

void AddRumor(CLI::App& root, RumorCommand& command) {
  RumorOptions& options = command.options;
  CLI::App* app = root.add_subcommand(
      "rumor",
      "Spread one rumor. The classic variants (Demers et al., CSL-89-1) in synchronous rounds;\n"
      "starling: the cores that nodes run, on virtual time. docs/gossip.md compares them.");
  app->add_option("--nodes", options.nodes, "Nodes in all, 1 to 1000000")->capture_default_str();
  app->add_option("--fanout", options.fanout, "Partners of a node in a round, 1 to 1000")
      ->capture_default_str();
  app->add_option("--key", command.key, "Key of the rumor, as printed")->capture_default_str();
  app->add_option("--value", command.value, "Its value, as printed")->capture_default_str();
  AddChoice(
      *app, "--variant", options.variant,
      Named({RumorVariant::kNaive, RumorVariant::kFeedbackCounter, RumorVariant::kFeedbackCoin,
             RumorVariant::kBlindCounter, RumorVariant::kBlindCoin, RumorVariant::kStarling}),
      "When a node stops telling. naive: when all know. counter: after k contacts; coin: "
      "with probability 1/k after each. Of feedback only those count that knew already. "
      "starling: feedback and counter, then digests and pull");
  AddChoice(*app, "--direction", options.direction,
            Named({RumorDirection::kPush, RumorDirection::kPull, RumorDirection::kPushPull}),
            "Of the classic variants: who knows tells, or all ask others, or both");
  app->add_option("--counter", options.counter_k, "k of the variants that stop, 1 to 100")
      ->capture_default_str();
  app->add_option("--loss", options.loss, "Share of messages that are lost, from 0 to below 1")
      ->capture_default_str();
  AddSeed(*app, "--seed", command.seed,
          "Same seed, same result; run i of many has seed + i - 1 [1]");
  app->add_option("--runs", command.runs, "Above 1: the distribution over so many runs")
      ->capture_default_str();
  app->add_option("--csv", command.csv_file, "Write the rounds (or the runs) to this file");
  app->add_option("--json", command.json_file, "Write all figures to this file");
  app->add_option("--svg", command.svg_file, "Plot the spread and the rounds to this file");
  app->callback([app, &options] {
    if (options.variant == RumorVariant::kNaive) RefuseGiven(*app, "--counter", "of naive");
    if (options.variant == RumorVariant::kStarling) RefuseGiven(*app, "--direction", "of starling");
  });
}

// What swim and replay have in common.
void AddCourse(CLI::App* app, SwimOptions& options) {
  app->add_option("--loss", options.loss, "Share of datagrams that are lost, from 0 to below 1")
      ->capture_default_str();
  app->add_option("--kill", options.kill, "Members that are killed")->capture_default_str();
  AddChoice(*app, "--mode", options.gossip.mode,
            {{"starling", starling::gossip::Mode::kStarling},
             {"lifeguard", starling::gossip::Mode::kLifeguard},
             {"swim", starling::gossip::Mode::kSwim}},
            "what nodes run; or the literature, with memberlist's numbers");
  AddDuration(*app, "--duration", options.duration, "Span that is measured [60s]");
  AddChoice(*app, "--death", options.death, {{"process", Death::kProcess}, {"host", Death::kHost}},
            "a killed process, whose host refuses connections; or a host that falls silent");
  app->add_flag("--sealed", options.sealed, "Seal all packets, and count their bytes so");
  app->add_flag("--changing-load", options.changing_load,
                "Each node's load changes each second; told in acks alone");
  app->add_flag("--data-connections", options.data_connections,
                "Connections to a killed process are reset, and that starts a probe");
  app->add_option("--pause", options.pause, "Members that are stopped and go on")
      ->capture_default_str();
  app->add_option("--one-way", options.one_way, "Pairs with one way cut during the span")
      ->capture_default_str();
  app->add_option("--elsewhere", options.elsewhere,
                  "So many are in a failure domain of their own, all others in another; 0: three "
                  "domains of one size")
      ->capture_default_str();
  app->add_option("--data-peers", options.data_peers,
                  "So many others have a connection to a killed process; 0: all")
      ->capture_default_str();
  app->add_flag_function(
      "--restart", [&options](std::int64_t) { options.restart = Restart::kOneByOne; },
      "Then restart all, one by one, in random order");
  app->add_flag_function(
         "--restart-all", [&options](std::int64_t) { options.restart = Restart::kAll; },
         "Then stop all, and boot them in random order, at random times")
      ->excludes("--restart");
  AddDuration(*app, "--boot-within", options.boot_within,
              "Of --restart-all: from the first boot to the last at most [10s]");
  app->add_option("--join", options.join, "Then let so many new nodes join through one seed")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();
  AddDuration(*app, "--partition", options.partition_for,
              "Then cut in two halves for so long [0s]");
  AddDuration(
      *app, "--churn", options.churn_within,
      "Then restart each once, at a random time within so long; each is down for up to 10 s "
      "[0s]");
  AddDuration(*app, "--churn-for", options.churn_for,
              "Only those whose turn comes in the first so long; 0s: all [0s]");
  AddDuration(*app, "--pause-for", options.pause_for, "For so long [5s]");
  AddDuration(*app, "--pause-again", options.pause_again,
              "Run for so long, then are stopped again; 0s: once [0s]");
  AddChoice(*app, "--wakes-to", options.wakes, Named({Wakes::kToSockets, Wakes::kToTimers}),
            "What who goes on handles first: it was stopped waiting, or working");
  AddDuration(*app, "--probe-interval", options.gossip.probe_interval, "Between two probes [1s]");
  AddDuration(*app, "--ack-timeout", options.gossip.ack_timeout,
              "Until helpers are asked [300ms; else 500ms]");
  AddDuration(*app, "--suspicion-timeout", options.gossip.suspicion_timeout,
              "From suspect to dead, of mode starling [4s]");
  app->callback([app, &options] {
    const bool classic = options.gossip.mode != starling::gossip::Mode::kStarling;
    if (classic && app->count("--ack-timeout") == 0)
      options.gossip.ack_timeout = kClassicAckTimeout;
    if (classic) {
      for (const char* flag : {"--suspicion-timeout", "--data-connections"})
        RefuseGiven(*app, flag, "in the modes swim and lifeguard");
    }
    if (options.pause == 0) {
      for (const char* flag : {"--pause-for", "--pause-again", "--wakes-to"})
        RefuseGiven(*app, flag, "without --pause");
    }
    if (!options.data_connections) RefuseGiven(*app, "--data-peers", "without --data-connections");
    if (options.churn_within == starling::base::Duration(0))
      RefuseGiven(*app, "--churn-for", "without --churn");
    if (options.restart != Restart::kAll)
      RefuseGiven(*app, "--boot-within", "without --restart-all");
  });
}

void AddSizes(CLI::App& app, std::vector<std::uint32_t>& into) {
  const auto parse = [&into](const CLI::results_t& given) {
    into.clear();
    for (std::string_view rest = given.at(0);;) {
      const std::size_t comma = rest.find(',');
      into.push_back(ParseNumber<std::uint32_t>("--nodes", rest.substr(0, comma)));
      if (comma == std::string_view::npos) return true;
      rest.remove_prefix(comma + 1);
    }
  };
  app.add_option("--nodes", parse,
                 "Members, 2 to 10000; several (10,100,1000): one run of each [100]")
      ->type_name("UINT,...");
}

void AddSwim(CLI::App& root, SwimCommand& command) {
  CLI::App* app =
      root.add_subcommand("swim", "Kill members of a cluster of real SWIM cores, on virtual time.");
  AddSizes(*app, command.sizes);
  AddSeed(*app, "--seed", command.options.seed, "Same seed, same result [1]");
  app->add_option("--csv", command.csv_file, "Write the report to this file, a line a size");
  app->add_option("--json", command.json_file, "Write the report to this file");
  app->add_option("--svg", command.svg_file,
                  "Plot detection to this file; of several sizes, traffic and detection by size");
  AddCourse(app, command.options);
}

void AddReplay(CLI::App& root, ReplayCommand& command) {
  CLI::App* app = root.add_subcommand(
      "replay", "Tell the story of a run of swim: give it the same options and its seed.");
  AddSeed(*app, "seed", command.options.seed, "Of the run")->required();
  app->add_option("--nodes", command.options.nodes, "Members, 2 to 10000")->capture_default_str();
  app->add_option("--member", command.member,
                  "Only what this one (0 for the first) believes, or is believed of it; all of it");
  app->add_flag("--json-lines", command.json_lines, "As JSON, an object a line");
  AddCourse(app, command.options);
}

int Report(const starling::base::Status& status) {
  if (status.ok()) return 0;
  return starling::tools::ComplainPlainly("gossip-sim", starling::tools::Output::kText, status);
}

int Main(int argc, char** argv) {
  CLI::App app("Simulates Starling's gossip: the same cores that nodes run, on virtual time.",
               "gossip-sim");
  app.require_subcommand(1);
  RumorCommand rumor;
  SwimCommand swim;
  ReplayCommand replay;
  AddRumor(app, rumor);
  AddSwim(app, swim);
  AddReplay(app, replay);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return starling::tools::EndParse(app, error, starling::tools::Output::kText);
  }
  if (app.got_subcommand("rumor")) return Report(Run(rumor));
  return Report(app.got_subcommand("swim") ? Run(swim) : Run(replay));
}

}  // namespace

int main(int argc, char** argv) {
  return starling::tools::RunAndFlush("gossip-sim", starling::tools::Output::kText,
                                      [&] { return Main(argc, argv); });
}
