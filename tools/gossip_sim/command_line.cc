#include "tools/gossip_sim/command_line.h"

#include <fmt/core.h>

#include <string_view>

#include "base/check.h"

namespace starling::gossip_sim {
namespace {

// As ParseDuration reads it, to the nanosecond.
std::string Print(base::Duration duration) {
  constexpr double kNanosPerMs = 1e6;
  return fmt::format("{}ms", static_cast<double>(duration.count()) / kNanosPerMs);
}

}  // namespace

std::string NameOf(gossip::Mode mode) {
  switch (mode) {
    case gossip::Mode::kSwim: return "swim";
    case gossip::Mode::kLifeguard: return "lifeguard";
    case gossip::Mode::kStarling: return "starling";
  }
  CHECK(false);
}

std::string NameOf(Wakes wakes) { return wakes == Wakes::kToSockets ? "sockets" : "timers"; }

std::string CommandLine(const SwimOptions& options) {
  std::string line = "gossip-sim swim";
  const auto add = [&](std::string_view flag, const auto& value) {
    line += fmt::format(" {} {}", flag, value);
  };
  const auto add_flag = [&](std::string_view flag, bool given) {
    if (given) line += fmt::format(" {}", flag);
  };
  add("--nodes", options.nodes);
  add("--seed", options.seed);
  add("--mode", NameOf(options.gossip.mode));
  add("--duration", Print(options.duration));
  add("--loss", options.loss);
  add("--kill", options.kill);
  add("--death", options.death == Death::kProcess ? "process" : "host");
  if (options.pause > 0) {
    add("--pause", options.pause);
    add("--pause-for", Print(options.pause_for));
    add("--pause-again", Print(options.pause_again));
    add("--wakes-to", NameOf(options.wakes));
  }
  add_flag("--sealed", options.sealed);
  add_flag("--changing-load", options.changing_load);
  add_flag("--data-connections", options.data_connections);
  if (options.data_connections && options.data_peers > 0) add("--data-peers", options.data_peers);
  if (options.one_way > 0) add("--one-way", options.one_way);
  add_flag("--restart", options.restart == Restart::kOneByOne);
  add_flag("--restart-all", options.restart == Restart::kAll);
  if (options.restart == Restart::kAll) add("--boot-within", Print(options.boot_within));
  if (options.join > 0) add("--join", options.join);
  if (options.partition_for > base::Duration(0)) add("--partition", Print(options.partition_for));
  if (options.churn_within > base::Duration(0)) add("--churn", Print(options.churn_within));
  if (options.churn_for > base::Duration(0)) add("--churn-for", Print(options.churn_for));
  add("--probe-interval", Print(options.gossip.probe_interval));
  add("--ack-timeout", Print(options.gossip.ack_timeout));
  if (options.gossip.mode == gossip::Mode::kStarling)
    add("--suspicion-timeout", Print(options.gossip.suspicion_timeout));
  return line;
}

}  // namespace starling::gossip_sim
