// tools/stress/main.cc: starling-stress's flags. What the commands do is in commands.h.
#include <CLI/CLI.hpp>

#include "tools/stress/commands.h"

namespace {

using namespace starling::stress;  // NOLINT: this file is nothing but their front.

using Verb = int (*)(const Options&);

void AddHosts(CLI::App& app, Options& options) {
  app.add_option("--hosts", options.hosts, "Nodes to begin with: HOST[:PORT],…")
      ->capture_default_str();
  app.add_option("--timeout", options.timeout, "Of a request")->capture_default_str();
}

void AddLoad(CLI::App& app, Options& options) {
  AddHosts(app, options);
  app.add_option("--keyspace", options.keyspace)->capture_default_str();
  app.add_option("--consistency", options.consistency, "ONE, TWO, QUORUM, LOCAL_QUORUM or ALL")
      ->capture_default_str();
  app.add_option("--records", options.records, "Keys user0000000000 and on")
      ->check(CLI::Range(1, 2'000'000'000))
      ->capture_default_str();
  app.add_option("--value-size", options.value_bytes, "Bytes of a value")
      ->check(CLI::Range(0, 16 * 1024 * 1024))
      ->capture_default_str();
  app.add_option("--connections", options.connections, "In all")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--in-flight", options.in_flight, "Requests at a time on each")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--rate", options.rate,
                 "Open loop: so many a second, latencies from when each was due. Absent: closed")
      ->check(CLI::Range(0.0, 1e8));
  app.add_option("--json", options.json_file, "Write the report to this file too");
  app.add_flag("--check", options.check,
               "Judge every read: lost, stale, resurrected, phantom; exit status 1 if any");
  app.add_option("--history", options.history_file, "Write what was done and seen to this file");
  app.add_option("--seed", options.seed, "Of keys and operations; absent: drawn");
}

void AddRun(CLI::App& app, Options& options) {
  app.add_option("--workload", options.workload,
                 "YCSB's a (half reads), b (95 %), c (all), f (half read-modify-writes); write, "
                 "read, or mixed:READ%")
      ->capture_default_str();
  app.add_option("--distribution", options.distribution,
                 "uniform, zipfian or sequential [zipfian for a, b, c and f, else uniform]");
  app.add_option("--operations", options.operations, "End after so many");
  app.add_option("--duration", options.duration, "End after so long [30s]");
  app.add_option("--warmup", options.warmup, "Before that, not measured");
  app.add_option("--deletes", options.deletes_percent,
                 "Percent of writes that delete [5 with --check, else 0]")
      ->check(CLI::Range(0.0, 100.0));
}

CLI::App* Add(CLI::App& app, const std::string& name, const std::string& help, Verb verb,
              Verb& chosen) {
  CLI::App* command = app.add_subcommand(name, help);
  command->callback([verb, &chosen] { chosen = verb; });
  return command;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Loads a Starling cluster, measures it, and checks what it answers.",
               "starling-stress");
  app.require_subcommand(1);
  Options options;
  Verb chosen = nullptr;
  AddLoad(*Add(app, "load", "Write every record once", Load, chosen), options);
  CLI::App* run = Add(app, "run", "Run a workload", Run, chosen);
  AddLoad(*run, options);
  AddRun(*run, options);
  CLI::App* verify =
      Add(app, "verify", "Read every key of a history: is each acknowledged write there?", Verify,
          chosen);
  AddHosts(*verify, options);
  verify->add_option("--history", options.history_file)->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitDone : kExitFailed;
  }
  return chosen(options);
}
