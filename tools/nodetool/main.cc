// tools/nodetool/main.cc: nodetool's flags. What it asks is in commands.h, how it shows in
// render.h.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <system_error>

#include "tools/nodetool/commands.h"
#include "tools/nodetool/render.h"
#include "tools/parse_error.h"

namespace {

using namespace starling;            // NOLINT: this file is nothing but
using namespace starling::nodetool;  // NOLINT: their front.

constexpr int kExitFailed = 2;

int Complain(bool as_json, const base::Status& status) {
  if (as_json) {
    const nlohmann::json error = {
        {"error", {{"code", CodeName(status.code())}, {"message", status.message()}}}};
    fmt::print(stderr, "{}\n",
               error.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    fmt::print(stderr, "nodetool: {}\n", status.ToString());
  }
  return kExitFailed;
}

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

}  // namespace

int main(int argc, char** argv) try {
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
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    fmt::print(stderr, "nodetool: {} (--help shows what there is)\n",
               starling::tools::ExplainParseError(app, error));
    return kExitFailed;
  }
  const auto answer = Ask(question);
  if (!answer) return Complain(as_json, answer.error());
  if (as_json) {
    fmt::print("{}\n", *answer);
  } else {
    const auto text = Render(question.command, *answer, WallMs());
    if (!text) return Complain(as_json, text.error());
    fmt::print("{}", *text);
  }
  if (std::fflush(stdout) != 0) throw std::system_error(errno, std::generic_category());
  const std::string missed = FellShort(question.command, *answer);
  return missed.empty() ? 0 : Complain(as_json, base::Unavailable(missed));
} catch (const std::system_error& failure) {  // What it prints to is closed, or full.
  std::fprintf(stderr, "nodetool: cannot print: %s\n", failure.what());
  return kExitFailed;
}
