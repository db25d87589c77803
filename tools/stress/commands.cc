#include "tools/stress/commands.h"

#include <fmt/core.h>

#include <cstdio>
#include <fstream>
#include <random>

#include "base/uv/uv_world.h"
#include "client/client.h"
#include "server/config_units.h"
#include "tools/stress/report.h"
#include "tools/stress/verify.h"

namespace starling::stress {

using base::Result;
using base::Status;

namespace {

constexpr base::ActorId kOnly{0};
constexpr std::uint16_t kStopMail = 1;
constexpr std::uint32_t kRunMask = 0xffffff;

int Complain(const Status& status) {
  fmt::print(stderr, "starling-stress: {}\n", status.ToString());
  return kExitFailed;
}

class Printer final : public Generator::Listener {
 public:
  void OnProgress(const Progress& progress) override {
    fmt::print(stderr, "{}\n", ShowProgress(progress));
  }
};

Result<base::Duration> DurationOr(const std::string& text, base::Duration otherwise) {
  if (text.empty()) return otherwise;
  return server::ParseDuration(text);
}

// The workload and its keys: what load and run do not share.
Status FillWorkload(const Options& options, LoadOptions& load) {
  ASSIGN_OR_RETURN(load.mix, ParseWorkload(options.workload));
  const bool ycsb = options.workload.size() == 1;
  const std::string distribution = !options.distribution.empty() ? options.distribution
                                   : ycsb                        ? "zipfian"
                                                                 : "uniform";
  ASSIGN_OR_RETURN(load.distribution, ParseDistribution(distribution));
  const double percent = options.deletes_percent >= 0 ? options.deletes_percent
                         : options.check              ? 5
                                                      : 0;
  load.deletes = percent / 100;
  load.operations = options.operations;
  const base::Duration otherwise = base::seconds(options.operations > 0 ? 0 : 30);
  ASSIGN_OR_RETURN(load.duration, DurationOr(options.duration, otherwise));
  ASSIGN_OR_RETURN(load.warmup, DurationOr(options.warmup, base::Duration{0}));
  return base::Ok();
}

Result<LoadOptions> LoadOptionsOf(const Options& options) {
  LoadOptions load;
  load.keyspace = options.keyspace;
  ASSIGN_OR_RETURN(load.level, wire::ParseConsistency(options.consistency));
  load.records = options.records;
  load.value_bytes = options.value_bytes;
  load.slots = std::size_t{options.connections} * options.in_flight;
  load.rate = options.rate;
  load.keep_history = options.check;
  std::random_device device;
  load.seed = options.seed != 0 ? options.seed : device();
  load.run = std::max(1U, device() & kRunMask);
  if (options.check && options.value_bytes < kIdBytes)
    return base::Fail(base::InvalidArgument(
        fmt::format("--check needs values of {} bytes or more, to tell them apart", kIdBytes)));
  return load;
}

// As many connections in all as were asked for, and at least one to each node.
Result<client::SessionOptions> SessionOptionsOf(const Options& options) {
  ASSIGN_OR_RETURN(const base::Duration timeout, server::ParseDuration(options.timeout));
  ASSIGN_OR_RETURN(auto hosts, client::ResolveHosts(options.hosts));
  ASSIGN_OR_RETURN(const auto client,
                   client::Client::Connect({.hosts = options.hosts, .connections_per_node = 1}));
  ASSIGN_OR_RETURN(const wire::ClusterMap map, client->Map());
  const auto nodes = static_cast<unsigned>(std::max<std::size_t>(1, map.nodes.size()));
  return client::SessionOptions{
      .links = {.hosts = std::move(hosts),
                .connections_per_node = (options.connections + nodes - 1) / nodes},
      .timeout = timeout};
}

std::string Describe(std::string_view command, const Options& options, const LoadOptions& load) {
  return fmt::format("{} {}: {} records, values of {} bytes, {}, {} connections x {} in flight{}",
                     command, options.workload, load.records, load.value_bytes,
                     wire::ConsistencyName(load.level), options.connections, options.in_flight,
                     load.rate > 0 ? fmt::format(", {} a second", load.rate) : "");
}

int Report(const Options& options, const LoadReport& report, const std::string& described) {
  std::optional<Verdict> verdict;
  if (options.check) verdict = CheckReads(report.history);
  fmt::print("{}", ShowReport(report, described, verdict));
  if (!options.json_file.empty()) {
    std::ofstream file(options.json_file);
    file << ReportAsJson(report, described, verdict);
    if (!file.flush())
      return Complain(base::Io(fmt::format("'{}' can't be written", options.json_file)));
  }
  return verdict && !verdict->clean() ? kExitViolated : kExitDone;
}

int Generate(std::string_view command, const Options& options, LoadOptions load) {
  auto session = SessionOptionsOf(options);
  if (!session) return Complain(session.error());
  std::optional<HistoryFile> file;
  if (!options.history_file.empty()) {
    auto made = HistoryFile::Create(options.history_file, options.keyspace);
    if (!made) return Complain(made.error());
    file = *std::move(made);
  }
  base::UvSystem system(load.seed, {.stop_mail_kind = kStopMail});
  Printer printer;
  Generator generator(system.MakeWorld(kOnly), *std::move(session), load, file ? &*file : nullptr,
                      printer);
  system.Attach(kOnly, generator);
  if (const Status status = system.Run(); !status.ok()) return Complain(status);
  return Report(options, generator.TakeReport(), Describe(command, options, load));
}

}  // namespace

int Load(const Options& options) {
  auto load = LoadOptionsOf(options);
  if (!load) return Complain(load.error());
  load->mix = {.reads = 0};
  load->distribution = Distribution::kSequential;
  load->operations = load->records;
  Options shown = options;
  shown.workload = "write";
  return Generate("load", shown, *std::move(load));
}

int Run(const Options& options) {
  auto load = LoadOptionsOf(options);
  if (!load) return Complain(load.error());
  if (const Status status = FillWorkload(options, *load); !status.ok()) return Complain(status);
  return Generate("run", options, *std::move(load));
}

int Verify(const Options& options) {
  const auto history = ReadHistory(options.history_file);
  if (!history) return Complain(history.error());
  auto session = SessionOptionsOf(options);
  if (!session) return Complain(session.error());
  base::UvSystem system(1);
  FinalReader reader(system.MakeWorld(kOnly), *std::move(session), *history);
  system.Attach(kOnly, reader);
  if (const Status status = system.Run(); !status.ok()) return Complain(status);
  const FinalState state = reader.TakeState();
  const Verdict verdict = CheckFinal(*history, state.id_by_record);
  fmt::print("{} events of {} records\n{}", history->events.size(), state.id_by_record.size(),
             ShowVerdict(verdict));
  if (!history->complete) fmt::print("the history's generator did not end in order\n");
  if (state.unread > 0)
    return Complain(base::Unavailable(
        fmt::format("{} records can't be read, the first {}", state.unread, state.why_unread)));
  return verdict.clean() ? kExitDone : kExitViolated;
}

}  // namespace starling::stress
