#include "tools/stress/commands.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "base/uv/uv_world.h"
#include "client/client.h"
#include "tools/say.h"
#include "tools/stress/plan.h"
#include "tools/stress/report.h"
#include "tools/stress/verify.h"

namespace starling::stress {

using base::Result;
using base::Status;

namespace {

constexpr base::ActorId kOnly{0};
constexpr std::uint16_t kStopMail = 1;
constexpr unsigned kVerifyConnections = 2;  // A node.

int Complain(const Status& status) {
  return tools::Complain("starling-stress", tools::Output::kText, status);
}

class Printer final : public Generator::Listener {
 public:
  void OnProgress(const Progress& progress) override {
    fmt::print(stderr, "{}\n", ShowProgress(progress));
  }
};

// As many connections in all as were asked for, and at least one to each node.
Result<client::SessionOptions> SessionFor(const Target& target, const Options& options) {
  ASSIGN_OR_RETURN(const auto client, client::Client::Connect({.hosts = options.hosts,
                                                               .connections_per_node = 1,
                                                               .timeout = target.timeout}));
  ASSIGN_OR_RETURN(const wire::ClusterMap map, client->Map());
  const auto nodes = static_cast<unsigned>(std::max<std::size_t>(1, map.nodes.size()));
  client::SessionOptions session{
      .links = {.hosts = target.hosts,
                .connections_per_node = (options.connections + nodes - 1) / nodes},
      .timeout = target.timeout};
  session.requests_max =
      std::max(session.requests_max, 2 * std::size_t{options.connections} * options.in_flight);
  return session;
}

// Empty path: nothing to write. Opened before the load, so that it does not run in vain.
Result<std::ofstream> OpenJson(const std::string& path) {
  std::ofstream file;
  if (path.empty()) return file;
  file.open(path);
  if (file) return file;
  return base::Fail(
      base::Io(fmt::format("--json: '{}' can't be written: {}", path, std::strerror(errno))));
}

Result<std::optional<HistoryFile>> OpenHistory(const Plan& plan, const std::string& path) {
  if (path.empty()) return std::nullopt;
  ASSIGN_OR_RETURN(auto file, HistoryFile::Create(path, {.run = plan.load.run,
                                                         .deletes = plan.load.deletes > 0,
                                                         .keyspace = plan.load.keyspace}));
  return std::optional(std::move(file));
}

int Report(const Plan& plan, const LoadReport& report, std::ofstream& json) {
  std::optional<Verdict> verdict;
  if (plan.load.keep_history) verdict = CheckReads(report.history);
  fmt::print("{}", ShowReport(report, plan.described, verdict));
  if (json.is_open()) {
    json << ReportAsJson(report, plan.described, verdict);
    if (!json.flush()) return Complain(base::Io("--json: the report can't be written"));
  }
  if (verdict && !verdict->clean()) return kExitViolated;
  if (report.operations == 0 && report.errors > 0)
    return Complain(base::Unavailable("not one operation succeeded"));
  return kExitDone;
}

int Generate(Command command, const Options& options) {
  const auto plan = PlanLoad(command, options);
  if (!plan) return Complain(plan.error());
  for (const std::string& remark : plan->remarks)
    fmt::print(stderr, "starling-stress: {}\n", remark);
  auto session = SessionFor(plan->target, options);
  if (!session) return Complain(session.error());
  auto json = OpenJson(options.json_file);
  if (!json) return Complain(json.error());
  auto history = OpenHistory(*plan, options.history_file);
  if (!history) return Complain(history.error());
  base::UvSystem system(plan->load.seed, {.stop_mail_kind = kStopMail});
  Printer printer;
  Generator generator(system.MakeWorld(kOnly), *std::move(session), plan->load,
                      *history ? &**history : nullptr, printer);
  system.Attach(kOnly, generator);
  if (const Status status = system.Run(); !status.ok()) return Complain(status);
  return Report(*plan, generator.TakeReport(), *json);
}

int Verify(const Options& options) {
  const auto target = PlanTarget(options);
  if (!target) return Complain(target.error());
  const auto history = ReadHistory(options.history_file);
  if (!history) return Complain(history.error());
  base::UvSystem system(1);
  FinalReader reader(system.MakeWorld(kOnly),
                     {.links = {.hosts = target->hosts, .connections_per_node = kVerifyConnections},
                      .timeout = target->timeout},
                     *history);
  system.Attach(kOnly, reader);
  if (const Status status = system.Run(); !status.ok()) return Complain(status);
  const FinalState state = reader.TakeState();
  const Verdict verdict = CheckFinal(*history, state.id_by_record);
  fmt::print("{} events, {} records read back{}\n", history->events.size(),
             state.id_by_record.size() + state.replaced,
             history->complete ? "" : "; the history ends early: its generator was killed");
  if (state.replaced > 0)
    fmt::print("{} were written or deleted by others since: they are not judged\n", state.replaced);
  fmt::print("{}", ShowVerdict(verdict));
  if (!verdict.clean()) return kExitViolated;
  if (state.unread == 0) return kExitDone;
  return Complain(base::Unavailable(
      fmt::format("{} records can't be read, for one {}", state.unread, state.why_unread)));
}

}  // namespace

int Execute(const Request& request) {
  switch (request.command) {
    case Command::kHelp: fmt::print("{}", request.help); return kExitDone;
    case Command::kLoad:
    case Command::kRun: return Generate(request.command, request.options);
    case Command::kVerify: return Verify(request.options);
  }
  return kExitFailed;
}

}  // namespace starling::stress
