// tools/starlingd/main.cc: the command line of a node.
//
// Whatever keeps a node from starting, or ends it against its will, is one line on stderr and exit
// status 2.
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "server/config.h"
#include "tools/parse_error.h"
#include "tools/say.h"
#include "tools/starlingd/run_node.h"

namespace starling {
namespace {

int EndFor(const base::Status& why) {
  return tools::ComplainPlainly("starlingd", tools::Output::kText, why);
}

struct CommandLine {
  std::string config_file;
  std::vector<std::string> settings;
  bool print_config = false;
  bool accept_data_loss = false;
  bool rebuild_trees = false;
};

void Declare(CLI::App& app, CommandLine& line) {
  app.name("starlingd");
  app.set_version_flag("--version", "starlingd " STARLING_VERSION);
  app.add_option("--config", line.config_file, "The configuration, in TOML")->type_name("FILE");
  app.add_option("--set", line.settings, "Sets one key over file and environment; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_flag("--print-config", line.print_config, "Prints every key with its default, and ends");
  app.add_flag("--accept-data-loss", line.accept_data_loss,
               "Goes on with what is left of data that were lost and no other node has");
  app.add_flag("--rebuild-trees", line.rebuild_trees,
               "Makes the hash trees anew from the entries, while the node serves");
  app.footer(
      "Keys are also read from STARLING_SECTION_KEY in the environment.\n"
      "SIGTERM, SIGINT and SIGHUP end the node in order; a second one at once.");
}

base::Result<server::Config> Load(const CommandLine& line) {
  if (line.config_file.empty())
    return base::Fail(base::InvalidArgument(
        "--config FILE is missing; starlingd --print-config prints a file to begin with"));
  server::ConfigSources sources{.file = line.config_file, .environment = {}, .settings = {}};
  for (char** variable = environ; *variable != nullptr; ++variable)
    sources.environment.emplace_back(*variable);
  for (const std::string& setting : line.settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos)
      return base::Fail(base::InvalidArgument(
          fmt::format("--set {}: write key=value, as in --set node.workers=2", setting)));
    sources.settings.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
  }
  return server::LoadConfig(sources);
}

int Main(int argc, char** argv) {
  CLI::App app("A node of Starling, a replicated key-value database.");
  CommandLine line;
  Declare(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return tools::EndParse(app, error, tools::Output::kText);
  }
  if (line.print_config) {
    fmt::print("{}", server::PrintConfig());  // Tells why it fails, as stdio does not.
    return 0;
  }
  const auto config = Load(line);
  if (!config) return EndFor(config.error());
  const base::Status ended =
      RunNode(*config, line.accept_data_loss ? DataLoss::kAccept : DataLoss::kRefuse,
              line.rebuild_trees ? Trees::kRebuild : Trees::kKeep);
  if (!ended.ok()) std::_Exit(EndFor(ended));
  return 0;
}

}  // namespace
}  // namespace starling

int main(int argc, char** argv) {
  return starling::tools::RunAndFlush("starlingd", starling::tools::Output::kText,
                                      [&] { return starling::Main(argc, argv); });
}
