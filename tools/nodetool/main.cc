// tools/nodetool/main.cc: nodetool's flags. What it asks is in commands.h, how it shows in
// render.h.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <chrono>

#include "tools/nodetool/commands.h"
#include "tools/nodetool/render.h"
#include "tools/parse_error.h"
#include "tools/say.h"

namespace {

using namespace starling;            // NOLINT: this file is nothing but
using namespace starling::nodetool;  // NOLINT: their front.
using namespace starling::tools;     // NOLINT: likewise.

constexpr const char* kName = "nodetool";

void AddCommands(CLI::App& app, Question& question) {
  for (const Command& command : Commands()) {
    CLI::App* sub = app.add_subcommand(std::string(command.name), std::string(command.help));
    sub->fallthrough();
    sub->callback([&question, name = command.name] { question.command = name; });
    if (command.takes == Takes::kOptionalKeyspace)
      sub->add_option("KEYSPACE", question.keyspace, "Default: all");
    if (command.takes != Takes::kKeyspaceAndKey) continue;
    sub->add_option("KEYSPACE", question.keyspace)->required();
    sub->add_option("KEY", question.key)->required();
  }
}

std::int64_t WallMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

int Main(int argc, char** argv, Output output) {
  CLI::App app("Looks after a node of a Starling cluster.", "nodetool");
  app.set_help_flag("--help", "Print this and leave");  // -h is the host, as in Cassandra's.
  app.require_subcommand(1);
  Question question;
  bool as_json = false;
  app.add_option("-h,--host", question.host, "The node to ask")->capture_default_str();
  app.add_option("-p,--port", question.port, "Its client port")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  app.add_flag("--json", as_json, "The node's answer as it is: times in ms, sizes in bytes");
  AddCommands(app, question);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return EndParse(app, error, output);
  }
  output = as_json ? Output::kJson : Output::kText;
  const auto answer = Ask(question);
  if (!answer) return Complain(kName, output, answer.error());
  if (as_json) {
    fmt::print("{}\n", *answer);
  } else {
    const auto text = Render(question.command, *answer, WallMs());
    if (!text) return Complain(kName, output, text.error());
    fmt::print("{}", *text);
  }
  const std::string missed = FellShort(question.command, *answer);
  return missed.empty() ? 0 : Complain(kName, output, base::Unavailable(missed));
}

}  // namespace

int main(int argc, char** argv) {
  const Output output = OutputAskedFor(argc, argv);
  return RunAndFlush(kName, output, [&] { return Main(argc, argv, output); });
}
