#include "tools/stress/flags.h"

#include <CLI/CLI.hpp>
#include <sstream>

namespace starling::stress {

namespace {

constexpr std::uint64_t kRecordsMax = 2'000'000'000;
constexpr std::size_t kValueBytesMax = 16 * 1024 * 1024;
constexpr unsigned kConnectionsMax = 4096;
constexpr unsigned kInFlightMax = 4096;

void AddHosts(CLI::App& app, Options& options) {
  app.add_option("--hosts", options.hosts, "Nodes to begin with: HOST[:PORT],...")
      ->capture_default_str();
  app.add_option("--timeout", options.timeout, "Of a request")->capture_default_str();
}

void AddShape(CLI::App& app, Options& options) {
  app.add_option("--workload", options.workload,
                 "YCSB's a (half reads), b (95 %), c (all), f (half read-modify-writes); write, "
                 "read, or mixed:READ% [a]; `load` writes, whatever it is");
  app.add_option("--distribution", options.distribution,
                 "uniform, zipfian or sequential [run: zipfian for a, b, c and f, else uniform; "
                 "load: sequential]");
  app.add_option("--records", options.records, "Keys user0000000000 and on")
      ->check(CLI::Range(std::uint64_t{1}, kRecordsMax))
      ->capture_default_str();
  app.add_option("--value-size", options.value_bytes, "Bytes of a value")
      ->check(CLI::Range(std::size_t{0}, kValueBytesMax))
      ->capture_default_str();
  app.add_option("--deletes", options.deletes_percent,
                 "Percent of run's writes that delete [5 with --check, else 0]")
      ->check(CLI::Range(0.0, 100.0));
  app.add_option("--keyspace", options.keyspace)->capture_default_str();
  app.add_option("--consistency", options.consistency, "ONE, TWO, QUORUM, LOCAL_QUORUM or ALL")
      ->capture_default_str();
}

void AddPace(CLI::App& app, Options& options) {
  app.add_option("--operations", options.operations,
                 "End after so many [load: the records]; with --duration: whichever is first")
      ->check(CLI::Range(std::uint64_t{1}, UINT64_MAX));
  app.add_option("--duration", options.duration, "End after so long [run: 30s]");
  app.add_option("--warmup", options.warmup, "Before that, not measured");
  app.add_option("--connections", options.connections, "In all; each node has at least one")
      ->check(CLI::Range(1U, kConnectionsMax))
      ->capture_default_str();
  app.add_option("--in-flight", options.in_flight, "Requests at a time on each")
      ->check(CLI::Range(1U, kInFlightMax))
      ->capture_default_str();
  app.add_option("--rate", options.rate,
                 "Open loop: so many a second, latencies from when each was due. Absent: closed");
  app.add_option("--seed", options.seed, "Of keys and operations; absent: drawn");
}

void AddResults(CLI::App& app, Options& options) {
  app.add_option("--json", options.json_file, "Write the report to this file too");
  app.add_flag("--check", options.check,
               "Judge every read: lost, stale, resurrected, phantom; exit status 1 if any");
  app.add_option("--history", options.history_file,
                 "Write what was done and seen to this file, for `verify`");
}

void AddLoad(CLI::App& app, Options& options) {
  AddHosts(app, options);
  AddShape(app, options);
  AddPace(app, options);
  AddResults(app, options);
}

}  // namespace

base::Result<Request> ParseFlags(std::vector<std::string> words) {
  Request request;
  CLI::App app("Loads a Starling cluster, measures it, and checks what it answers.",
               "starling-stress");
  app.require_subcommand(1);
  const auto add = [&](const char* name, const char* help, Command command) {
    CLI::App* sub = app.add_subcommand(name, help);
    sub->callback([&request, command] { request.command = command; });
    return sub;
  };
  AddLoad(*add("load", "Write every record once", Command::kLoad), request.options);
  AddLoad(*add("run", "Run a workload", Command::kRun), request.options);
  CLI::App* verify = add("verify", "Read every key of a history: is each acknowledged write there?",
                         Command::kVerify);
  AddHosts(*verify, request.options);
  verify->add_option("--history", request.options.history_file, "As load or run wrote it")
      ->required();
  constexpr std::string_view kCommands[] = {"load", "run", "verify"};
  const bool is_known = words.empty() || words[0].starts_with('-') ||
                        std::ranges::find(kCommands, words[0]) != std::end(kCommands);
  if (!is_known)
    return base::Fail(base::InvalidArgument(
        "'" + words[0] + "' is no command: load, run and verify are (--help says more)"));
  try {
    std::reverse(words.begin(), words.end());  // As CLI11 wants them.
    app.parse(std::move(words));
  } catch (const CLI::Success& wanted) {
    std::ostringstream help;
    app.exit(wanted, help, help);
    return Request{.command = Command::kHelp, .options = {}, .help = help.str()};
  } catch (const CLI::ParseError& error) {
    return base::Fail(base::InvalidArgument(std::string(error.what()) + " (--help says more)"));
  }
  return request;
}

}  // namespace starling::stress
