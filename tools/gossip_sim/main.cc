// tools/gossip_sim/main.cc: gossip-sim's flags. What they do is in commands.h.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "tools/gossip_sim/commands.h"
#include "tools/parse_error.h"

namespace {

using namespace starling::gossip_sim;  // NOLINT: this file is nothing but their front.

constexpr int kExitRefused = 2;
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

void AddRumor(CLI::App& root, RumorCommand& command) {
  CLI::App* app = root.add_subcommand("rumor", "Spread one rumor in synchronous rounds.");
  app->add_option("--nodes", command.options.nodes, "Nodes in all")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app->add_option("--fanout", command.options.fanout, "Targets of a telling node in a round")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app->add_option("--key", command.key, "Key of the rumor")->capture_default_str();
  app->add_option("--value", command.value, "Its value")->capture_default_str();
  AddChoice(*app, "--variant", command.options.variant,
            {{"naive", RumorVariant::kNaive}, {"feedback-counter", RumorVariant::kFeedbackCounter}},
            "all that know tell, until all know; or: each stops after k contacts that knew");
  app->add_option("--counter", command.options.counter_k, "k of feedback-counter")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app->add_option("--seed", command.seed, "Same seed, same result")->capture_default_str();
  app->add_option("--runs", command.runs, "Above 1: the distribution over so many runs")
      ->check(CLI::Range(1, 10000000))
      ->capture_default_str();
  app->add_option("--csv", command.csv_file, "Write the rounds (or the runs) to this file");
}

void AddSwim(CLI::App& root, SwimCommand& command) {
  SwimOptions& options = command.options;
  CLI::App* app =
      root.add_subcommand("swim", "Kill members of a cluster of real SWIM cores, on virtual time.");
  app->add_option("--nodes", options.nodes, "Members, 2 to 10000")->capture_default_str();
  app->add_option("--loss", options.loss, "Share of datagrams that are lost, 0 to 1")
      ->capture_default_str();
  app->add_option("--kill", options.kill, "Members that are killed")->capture_default_str();
  AddChoice(*app, "--mode", options.gossip.mode,
            {{"starling", starling::gossip::Mode::kStarling},
             {"lifeguard", starling::gossip::Mode::kLifeguard},
             {"swim", starling::gossip::Mode::kSwim}},
            "what nodes run; or the literature, with memberlist's numbers");
  AddDuration(*app, "--duration", options.duration, "Span that is measured [60s]");
  app->add_option("--seed", options.seed, "Same seed, same result")->capture_default_str();
  app->add_option("--json", command.json_file, "Write the report to this file");
  AddChoice(*app, "--death", options.death, {{"process", Death::kProcess}, {"host", Death::kHost}},
            "a killed process, whose host refuses connections; or a host that falls silent");
  app->add_flag("--data-connections", options.data_connections,
                "Connections to a killed process are reset, and that starts a probe");
  app->add_option("--pause", options.pause, "Members that are stopped and go on")
      ->capture_default_str();
  app->add_option("--one-way", options.one_way, "Pairs with one way cut during the span")
      ->capture_default_str();
  app->add_flag("--restart", options.restart, "Then restart all, in random order");
  app->add_option("--join", options.join, "Then let so many new nodes join through one seed")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();
  AddDuration(*app, "--partition", options.partition_for,
              "Then cut in two halves for so long [0s]");
  AddDuration(*app, "--pause-for", options.pause_for, "For so long [5s]");
  AddDuration(*app, "--probe-interval", options.gossip.probe_interval, "Between two probes [1s]");
  AddDuration(*app, "--ack-timeout", options.gossip.ack_timeout,
              "Until helpers are asked [300ms; else 500ms]");
  AddDuration(*app, "--suspicion-timeout", options.gossip.suspicion_timeout,
              "From suspect to dead, of mode starling [4s]");
  app->callback([app, &options] {
    const bool classic = options.gossip.mode != starling::gossip::Mode::kStarling;
    if (classic && app->count("--ack-timeout") == 0)
      options.gossip.ack_timeout = kClassicAckTimeout;
  });
}

int Report(const starling::base::Status& status) {
  if (status.ok()) return 0;
  fmt::print(stderr, "gossip-sim: {}\n", status.message());
  return kExitRefused;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Simulates Starling's gossip: the same cores that nodes run, on virtual time.",
               "gossip-sim");
  app.require_subcommand(1);
  RumorCommand rumor;
  SwimCommand swim;
  AddRumor(app, rumor);
  AddSwim(app, swim);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    fmt::print(stderr, "gossip-sim: {} (--help lists the flags)\n",
               starling::tools::ExplainParseError(app, error));
    return kExitRefused;
  }
  return Report(app.got_subcommand("rumor") ? Run(rumor) : Run(swim));
}
