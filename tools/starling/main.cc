// tools/starling/main.cc: the one-shot client's flags. What the commands do is in commands.h.
#include <CLI/CLI.hpp>

#include "tools/parse_error.h"
#include "tools/say.h"
#include "tools/starling/commands.h"

namespace {

using namespace starling::cli;  // NOLINT: this file is nothing but their front.

using Verb = int (*)(const Options&);

// A command, whose options may stand before or after it.
CLI::App* Add(CLI::App& parent, const std::string& name, const std::string& help, Verb verb,
              Verb& chosen) {
  CLI::App* app = parent.add_subcommand(name, help);
  app->fallthrough();
  app->callback([verb, &chosen] { chosen = verb; });
  return app;
}

void AddCommon(CLI::App& app, Options& options) {
  app.add_option("--hosts", options.hosts, "Nodes to begin with: HOST[:PORT],…")
      ->capture_default_str();
  app.add_flag("--no-routing", options.no_routing,
               "Talk to the listed hosts alone, whoever holds the key");
  app.add_option("--keyspace", options.keyspace, "Where the keys are")->capture_default_str();
  app.add_option("--consistency", options.consistency,
                 "ONE, TWO, QUORUM, LOCAL_QUORUM or ALL; else QUORUM, or ONE in a keyspace that is "
                 "everywhere");
  app.add_flag_callback(
      "--json", [&options] { options.output = Output::kJson; },
      "Machine-readable answers and errors, with versions and replicas");
}

void AddData(CLI::App& app, Options& options, Verb& chosen) {
  CLI::App* put = Add(app, "put", "Store a value", Put, chosen);
  put->add_option("KEY", options.key)->required();
  put->add_option("VALUE", options.value)->required();
  put->add_option("--ttl", options.ttl, "How long it lives: 90s, 1h, 7d");
  Add(app, "get", "Print a value; exit status 1 if there is none", Get, chosen)
      ->add_option("KEY", options.key)
      ->required();
  Add(app, "delete", "Delete a key", Delete, chosen)->add_option("KEY", options.key)->required();
  Add(app, "exists", "Exit status 0 if the key has a value, 1 if not", Exists, chosen)
      ->add_option("KEY", options.key)
      ->required();
}

void AddTransfer(CLI::App& app, Options& options, Verb& chosen) {
  const std::string formats =
      R"(jsonl: {"key","value"|"value_base64","ttl_ms"?} a line; tsv: key, tab, value)";
  CLI::App* in = Add(app, "import", "Store each line of a file", Import, chosen);
  in->add_option("FILE", options.file, "- is standard input")->required();
  in->add_option("--format", options.format, formats)->capture_default_str();
  Add(app, "export", "Print every key of the keyspace", Export, chosen)
      ->add_option("--format", options.format, formats)
      ->capture_default_str();
}

void AddKeyspaces(CLI::App& app, Options& options, Verb& chosen) {
  CLI::App* keyspace = app.add_subcommand("keyspace", "create, list or describe keyspaces");
  keyspace->require_subcommand(1);
  keyspace->fallthrough();
  CLI::App* create = Add(*keyspace, "create", "Make a keyspace", CreateKeyspace, chosen);
  create->add_option("NAME", options.name)->required();
  create
      ->add_option("--replication", options.replication, "simple:3, or dc1:3,dc2:2, or everywhere")
      ->required();
  Add(*keyspace, "list", "All keyspaces", ListKeyspaces, chosen);
  Add(*keyspace, "describe", "One keyspace, and what is in effect", DescribeKeyspace, chosen)
      ->add_option("NAME", options.name)
      ->required();
}

int Main(int argc, char** argv, Output output) {
  CLI::App app("Puts and gets keys of a Starling cluster.", "starling");
  app.require_subcommand(1);
  Options options;
  Verb chosen = nullptr;
  AddCommon(app, options);
  AddData(app, options, chosen);
  AddTransfer(app, options, chosen);
  AddKeyspaces(app, options, chosen);
  Add(app, "ping", "Ask each host whether it is there", Ping, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return starling::tools::EndParse(app, error, output);
  }
  return chosen(options);
}

}  // namespace

int main(int argc, char** argv) {
  const Output output = starling::tools::OutputAskedFor(argc, argv);
  return starling::tools::RunAndFlush("starling", output, [&] { return Main(argc, argv, output); });
}
