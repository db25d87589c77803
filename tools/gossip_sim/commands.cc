// tools/gossip_sim/commands.cc: run, print, write.
#include "tools/gossip_sim/commands.h"

#include <fmt/core.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <optional>
#include <utility>

#include "tools/gossip_sim/progress.h"
#include "tools/gossip_sim/report.h"
#include "tools/gossip_sim/rumor_report.h"
#include "tools/gossip_sim/rumor_tally.h"
#include "tools/gossip_sim/story.h"

namespace starling::gossip_sim {
namespace {

constexpr std::uint32_t kRunsMax = 10'000'000;

base::Status WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (file) return base::Ok();
  return base::Io(fmt::format("can't write {}: {}", path, std::strerror(errno)));
}

// Shows on a terminal how far it is.
base::Result<SwimReport> Watched(SwimOptions options) {
  constexpr std::uint64_t kPercent = 100;
  std::optional<Progress> progress;
  std::string shown;
  options.on_progress = [&](std::string_view what, double share) {
    if (what != shown) {
      shown = what;
      progress.reset();
      progress.emplace(fmt::format("% of {}", what), kPercent);
    }
    progress->At(static_cast<std::uint64_t>(kPercent * share));
  };
  return RunSwim(options);
}

// Timeout if all should have agreed again, and did not.
base::Status Outcome(const SwimOptions& options, const SwimReport& report) {
  const auto check = [&](const Agreement& agreement, std::string_view after) {
    if (!agreement.missed()) return base::Ok();
    return base::Timeout(fmt::format("{} nodes, seed {}: all did not agree within {} s after {}",
                                     options.nodes, options.seed, kAgreeLimit / base::seconds(1),
                                     after));
  };
  RETURN_IF_ERROR(check(report.restarted, "the last boot"));
  RETURN_IF_ERROR(check(report.joins_known, "the joins"));
  RETURN_IF_ERROR(check(report.healed, "the halves met"));
  return check(report.churned, "the last boot of the churn");
}

}  // namespace

base::Status Run(const RumorCommand& command) {
  const RumorOptions& options = command.options;
  RETURN_IF_ERROR(options.Validate());
  if (command.runs < 1 || command.runs > kRunsMax) {
    return base::InvalidArgument(
        fmt::format("--runs is {}, and must be 1 to {}", command.runs, kRunsMax));
  }
  // Before the work, not after it.
  for (const std::string& file : {command.csv_file, command.json_file, command.svg_file}) {
    if (!file.empty()) RETURN_IF_ERROR(WriteFile(file, ""));
  }
  RumorTally tally(options);
  RumorRun run;
  std::string csv = kRunsCsvHead;
  {
    Progress progress("runs", command.runs);  // Gone before anything is printed.
    for (std::uint64_t i = 0; i < command.runs; ++i) {
      progress.At(i);
      run = SpreadRumor(options, command.seed + i);
      tally.Add(run);
      if (!command.csv_file.empty()) csv += CsvLine(i + 1, command.seed + i, run);
    }
  }
  const bool one = command.runs == 1;
  if (!command.csv_file.empty()) RETURN_IF_ERROR(WriteFile(command.csv_file, one ? Csv(run) : csv));
  if (!command.json_file.empty())
    RETURN_IF_ERROR(WriteFile(command.json_file, Json(options, command.seed, tally)));
  if (!command.svg_file.empty()) {
    RETURN_IF_ERROR(WriteFile(command.svg_file, one ? Svg(options, command.seed, run)
                                                    : Svg(options, command.seed, tally)));
  }
  fmt::print("rumor {} = {}: {}, seed {}\n\n", command.key, command.value, Describe(options),
             command.seed);
  if (one)
    fmt::print("{}\n{}\n", Table(run), Verdict(options, run));
  else
    fmt::print("{}", Table(tally));
  return base::Ok();
}

base::Status Run(const SwimCommand& command) {
  // Before the work, not after it.
  for (const std::string& file : {command.csv_file, command.json_file, command.svg_file}) {
    if (!file.empty()) RETURN_IF_ERROR(WriteFile(file, ""));
  }
  std::vector<SwimPlayed> played;
  for (const std::uint32_t nodes : command.sizes) {
    SwimOptions options = command.options;
    options.nodes = nodes;
    ASSIGN_OR_RETURN(SwimReport report, Watched(options));
    played.push_back({options, std::move(report)});
  }
  if (!command.csv_file.empty()) RETURN_IF_ERROR(WriteFile(command.csv_file, Csv(played)));
  if (!command.json_file.empty()) RETURN_IF_ERROR(WriteFile(command.json_file, Json(played)));
  if (!command.svg_file.empty()) RETURN_IF_ERROR(WriteFile(command.svg_file, Svg(played)));
  for (const SwimPlayed& one : played) fmt::print("{}", Table(one.options, one.report));
  for (const SwimPlayed& one : played) RETURN_IF_ERROR(Outcome(one.options, one.report));
  return base::Ok();
}

base::Status Run(const ReplayCommand& command) {
  SwimOptions options = command.options;
  if (command.member && *command.member >= options.nodes + options.join) {
    return base::InvalidArgument(fmt::format("--member is {}, and must be below {}",
                                             *command.member, options.nodes + options.join));
  }
  Story story({.member = command.member});
  options.on_told = [&](const Told& told) { story.Add(told); };
  ASSIGN_OR_RETURN(const SwimReport report, Watched(options));
  if (command.json_lines)
    fmt::print("{}", story.JsonLines());
  else
    fmt::print("{}\n{}", story.Text(), Table(command.options, report));
  return Outcome(command.options, report);
}

base::Result<base::Duration> ParseDuration(std::string_view text) {
  struct Unit {
    std::string_view name;
    base::Duration length;
  };
  static constexpr std::array kUnits = {
      Unit{"ms", base::milliseconds(1)},
      Unit{"s", base::seconds(1)},
      Unit{"m", std::chrono::minutes(1)},
      Unit{"h", std::chrono::hours(1)},
  };
  constexpr double kHoursMax = 1000;
  double number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit_name(rest,
                                   static_cast<std::size_t>(text.data() + text.size() - rest));
  for (const Unit& unit : kUnits) {
    if (error != std::errc() || unit_name != unit.name || !(number >= 0) || std::isinf(number))
      continue;
    const double nanos = number * static_cast<double>(unit.length.count());
    if (nanos > kHoursMax * 3.6e12)
      return base::Fail(base::InvalidArgument(
          fmt::format("'{}' is too large, the largest is {}h", text, kHoursMax)));
    return base::Duration(std::llround(nanos));
  }
  return base::Fail(base::InvalidArgument(
      fmt::format("'{}' is no duration: expected a number and ms, s, m or h, as in 60s", text)));
}

}  // namespace starling::gossip_sim
