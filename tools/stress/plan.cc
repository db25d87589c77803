#include "tools/stress/plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "base/check.h"
#include "client/hosts.h"
#include "server/config_units.h"

namespace starling::stress {

using base::Duration;
using base::Fail;
using base::InvalidArgument;
using base::Result;
using base::Status;

namespace {

constexpr Duration kDurationDefault = base::seconds(30);
constexpr double kRateMax = 1e8;
constexpr double kCheckedDeletes = 5;  // Percent.

// The value of a flag, with its name before what is wrong with it.
template <typename T>
Result<T> Named(std::string_view flag, Result<T> value) {
  if (value) return value;
  return Fail(value.error().Annotate(flag));
}

Result<Duration> ParsePositive(std::string_view flag, const std::string& text) {
  ASSIGN_OR_RETURN(const Duration duration, Named(flag, server::ParseDuration(text)));
  if (duration > Duration{0}) return duration;
  return Fail(InvalidArgument(fmt::format("{}: '{}' is no time at all", flag, text)));
}

// Which operations, on which keys.
Status PlanShape(Command command, const Options& options, LoadOptions& load) {
  const std::string workload = options.workload.empty() ? "a" : options.workload;
  ASSIGN_OR_RETURN(load.mix, Named("--workload", ParseWorkload(workload)));
  const bool is_load = command == Command::kLoad;
  const bool is_ycsb = workload.size() == 1;
  std::string distribution = options.distribution;
  if (distribution.empty()) distribution = is_load ? "sequential" : is_ycsb ? "zipfian" : "uniform";
  ASSIGN_OR_RETURN(load.distribution, Named("--distribution", ParseDistribution(distribution)));
  load.records = options.records;
  load.value_bytes = options.value_bytes;
  load.deletes = options.deletes_percent.value_or(options.check ? kCheckedDeletes : 0) / 100;
  if (!is_load) return base::Ok();
  if (load.distribution != Distribution::kSequential)
    return InvalidArgument("--distribution: load writes every record once, which is sequential");
  if (options.deletes_percent.value_or(0) > 0)
    return InvalidArgument("--deletes: load writes every record once, and deletes none");
  load.mix = {.reads = 0};
  load.deletes = 0;
  return base::Ok();
}

// How many, how fast, how long.
Status PlanPace(Command command, const Options& options, LoadOptions& load) {
  load.slots = std::size_t{options.connections} * options.in_flight;
  if (options.rate) {
    if (!(*options.rate > 0) || *options.rate > kRateMax)
      return InvalidArgument(
          fmt::format("--rate: {} is not between 0 and {} operations a second; leave it out for a "
                      "closed loop",
                      *options.rate, kRateMax));
    load.rate = *options.rate;
  }
  if (!options.duration.empty()) {
    ASSIGN_OR_RETURN(load.duration, ParsePositive("--duration", options.duration));
  }
  if (!options.warmup.empty()) {
    ASSIGN_OR_RETURN(load.warmup, Named("--warmup", server::ParseDuration(options.warmup)));
  }
  if (command == Command::kLoad) {
    load.issues_max = options.operations.value_or(options.records);
    if (load.issues_max > options.records)
      return InvalidArgument(
          fmt::format("--operations: load writes each of the {} records once", options.records));
    return base::Ok();
  }
  load.operations = options.operations.value_or(0);
  if (!options.operations && options.duration.empty()) load.duration = kDurationDefault;
  return base::Ok();
}

Status PlanChecks(const Options& options, LoadOptions& load) {
  load.keep_history = options.check;
  if (load.value_bytes >= kIdBytes || (!options.check && options.history_file.empty()))
    return base::Ok();
  return InvalidArgument(
      fmt::format("--value-size: {} needs values of {} bytes or more, to tell "
                  "them apart",
                  options.check ? "--check" : "--history", kIdBytes));
}

std::vector<std::string> RemarksOn(const Options& options, const LoadOptions& load) {
  std::vector<std::string> remarks;
  const bool weak = load.level == wire::Consistency::kOne || load.level == wire::Consistency::kTwo;
  if (options.check && weak)
    remarks.push_back(
        fmt::format("--check: reads and writes at {} promise nothing: a stale read "
                    "may be in good order",
                    wire::ConsistencyName(load.level)));
  if (options.check && load.mix.reads == 0)
    remarks.push_back("--check: this load reads nothing; `verify` can judge its --history");
  return remarks;
}

std::string Describe(Command command, const Options& options, const LoadOptions& load) {
  const std::string name = command == Command::kLoad  ? "load"
                           : options.workload.empty() ? "run a"
                                                      : "run " + options.workload;
  return fmt::format("{}: {} records, values of {} bytes, {}, {} connections x {} in flight{}",
                     name, load.records, load.value_bytes, wire::ConsistencyName(load.level),
                     options.connections, options.in_flight,
                     load.rate > 0 ? fmt::format(", {} a second", load.rate) : ", closed loop");
}

}  // namespace

Result<Target> PlanTarget(const Options& options) {
  Target target;
  ASSIGN_OR_RETURN(target.hosts, Named("--hosts", client::ResolveHosts(options.hosts)));
  ASSIGN_OR_RETURN(target.timeout, ParsePositive("--timeout", options.timeout));
  return target;
}

Result<Plan> PlanLoad(Command command, const Options& options) {
  CHECK(command == Command::kLoad || command == Command::kRun);
  Plan plan;
  LoadOptions& load = plan.load;
  load.keyspace = options.keyspace;
  ASSIGN_OR_RETURN(load.level, Named("--consistency", wire::ParseConsistency(options.consistency)));
  RETURN_IF_ERROR(PlanShape(command, options, load));
  RETURN_IF_ERROR(PlanPace(command, options, load));
  RETURN_IF_ERROR(PlanChecks(options, load));
  ASSIGN_OR_RETURN(plan.target, PlanTarget(options));
  std::random_device device;
  load.seed = options.seed.value_or(device());
  load.run = std::max(1U, device() & kRunMax);
  plan.described = Describe(command, options, load);
  plan.remarks = RemarksOn(options, load);
  return plan;
}

}  // namespace starling::stress
