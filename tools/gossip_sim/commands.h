// tools/gossip_sim/commands.h: what the subcommands do, once their options are read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "tools/gossip_sim/rumor_sim.h"
#include "tools/gossip_sim/swim_sim.h"

namespace starling::gossip_sim {

struct RumorCommand {
  RumorOptions options;
  std::string key = "config_param";
  std::string value = "enable_cache=true";
  std::uint64_t seed = 1;
  std::uint32_t runs = 1;
  // Empty: none.
  std::string csv_file;
  std::string json_file;
  std::string svg_file;
};

struct SwimCommand {
  SwimOptions options;
  std::vector<std::uint32_t> sizes{100};  // Played one after the other, each as options.nodes.
  // Empty: none.
  std::string csv_file;
  std::string json_file;
  std::string svg_file;
};

struct ReplayCommand {
  SwimOptions options;
  std::optional<std::uint32_t> member;
  bool json_lines = false;
};

// Print to stdout and write the files. Fail with Io naming the file, with InvalidArgument naming
// the flag, with Timeout after a course of which all did not agree again in time, its report
// printed and written, or as RunSwim.
base::Status Run(const RumorCommand& command);
base::Status Run(const SwimCommand& command);
base::Status Run(const ReplayCommand& command);

// "300ms", "60s", "5m"; "1.5s". Fails with InvalidArgument, naming the text.
base::Result<base::Duration> ParseDuration(std::string_view text);

}  // namespace starling::gossip_sim
