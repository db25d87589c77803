// tools/nodetool/main.cc: nodetool's flags. What it asks is in commands.h, how it shows in
// render.h.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "tools/nodetool/commands.h"
#include "tools/nodetool/keyring.h"
#include "tools/nodetool/progress.h"
#include "tools/nodetool/quarantine.h"
#include "tools/nodetool/render.h"
#include "tools/nodetool/restore_command.h"
#include "tools/nodetool/units.h"
#include "tools/nodetool/verify_command.h"
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
    if (command.takes == Takes::kTagAndKeyspaces) {
      sub->add_option("-t,--tag", question.tag, "Its name; default: the time in ms");
      sub->add_option("KEYSPACE", question.keyspaces, "Default: all");
    }
    if (command.takes == Takes::kTagOrAll) {
      auto* const which = sub->add_option_group("which");
      which->add_option("-t,--tag", question.tag, "The one of this name");
      which->add_flag("--all", question.all, "All of this node");
      which->require_option(1);
    }
    if (command.takes == Takes::kMember) {
      sub->add_option("NODE", question.node, "Its address or host id, as status shows them")
          ->required();
      sub->add_flag("--confirm", question.confirm, "Its process does not run, and will not soon");
    }
    if (command.takes == Takes::kDryRun || command.takes == Takes::kMember ||
        command.takes == Takes::kOptionalKeyspace || command.takes == Takes::kTagAndKeyspaces ||
        command.takes == Takes::kTagOrAll)
      sub->add_flag("--dry-run", question.dry_run, "Check and show; change nothing");
    if (command.takes != Takes::kKeyspaceAndKey) continue;
    sub->add_option("KEYSPACE", question.keyspace)->required();
    sub->add_option("KEY", question.key)->required();
  }
}

void AddRestore(CLI::App& app, RestoreQuestion& question) {
  CLI::App* sub = app.add_subcommand("restore", "Put what snapshots hold into this cluster");
  sub->fallthrough();
  sub->add_option("PATH", question.paths, "Directories of snapshots, of one cluster")->required();
  sub->add_option("--keyspace", question.keyspace, "Only this one");
  sub->add_flag("--dry-run", question.dry_run, "Count what it would do; change nothing");
  sub->add_flag("--partial", question.partial, "Even if a part of a keyspace is in none of them");
  sub->add_flag("--damaged", question.damaged, "Unverified, and without what can't be read");
}

void AddVerify(CLI::App& app, VerifyQuestion& question) {
  CLI::App* sub =
      app.add_subcommand("verify", "On each node, its tree against its entries on disk");
  sub->fallthrough();
  sub->add_option("KEYSPACE", question.keyspace, "Default: all");
  sub->add_flag("--deep", question.deep,
                "Each value against its digest, too, and all replicas against each other");
}

CLI::App* AddKeyringAction(CLI::App& keyring, KeyringQuestion& question,
                           KeyringQuestion::Action action, const char* name, const char* help) {
  CLI::App* sub = keyring.add_subcommand(name, help);
  sub->fallthrough();
  sub->callback([&question, action] { question.action = action; });
  return sub;
}

void AddKeyring(CLI::App& app, KeyringQuestion& question) {
  using Action = KeyringQuestion::Action;
  CLI::App* keyring = app.add_subcommand("keyring", "The keys that seal gossip between nodes");
  keyring->fallthrough();
  keyring->require_subcommand(1);
  keyring->add_flag("--all", question.all, "On all members, not on this node alone");
  keyring->add_flag("--force", question.force, "Even if that cuts members off");
  keyring->add_flag("--dry-run", question.dry_run, "Check and show; change nothing");
  const auto add = [&](Action action, const char* name, const char* help) {
    return AddKeyringAction(*keyring, question, action, name, help);
  };
  add(Action::kList, "list", "Which keys are installed, and which one seals, on every member");
  add(Action::kGenerate, "generate", "Print a new key");
  add(Action::kAdd, "add", "Install a key: it opens packets, and seals none yet")
      ->add_option("KEY", question.argument, "In base64; - reads it from standard input")
      ->required();
  add(Action::kUse, "use", "Seal with an installed key")
      ->add_option("KEYID", question.argument)
      ->required();
  add(Action::kRemove, "remove", "Forget a key that seals no more")
      ->add_option("KEYID", question.argument)
      ->required();
  add(Action::kRequire, "require", "Drop packets that are not sealed");
}

void AddQuarantine(CLI::App& app, QuarantineQuestion& question) {
  using Action = QuarantineQuestion::Action;
  CLI::App* quarantine =
      app.add_subcommand("quarantine", "Values that this node has set aside (docs/purge.md)");
  quarantine->fallthrough();
  quarantine->require_subcommand(1);
  const auto add = [&](Action action, const char* name, const char* help) {
    CLI::App* sub = quarantine->add_subcommand(name, help);
    sub->fallthrough();
    sub->callback([&question, action] { question.action = action; });
    sub->add_option("KEYSPACE", question.keyspace, "Default: all");
    if (action == Action::kList) return sub;
    sub->add_option("KEY", question.key);
    sub->add_flag("--all", question.all, "Instead of one key");
    sub->add_flag("--dry-run", question.dry_run, "Check and show; change nothing");
    return sub;
  };
  add(Action::kList, "list", "What is there");
  add(Action::kRestore, "restore", "Put it into the cluster again, as a new write")
      ->add_flag("--overwrite", question.overwrite, "Also where a key has another value now");
  add(Action::kDrop, "drop", "Forget it for good");
}

// A key on the command line shows in the list of processes.
base::Status ReadArgument(KeyringQuestion& question) {
  if (question.action != KeyringQuestion::Action::kAdd || question.argument != "-")
    return base::Ok();
  constexpr int kLineMax = 256;
  char line[kLineMax];
  if (std::fgets(line, sizeof line, stdin) == nullptr)
    return base::InvalidArgument("there is no key on standard input");
  question.argument = line;
  question.argument.erase(question.argument.find_last_not_of("\r\n") + 1);
  return base::Ok();
}

int RunKeyringCommand(KeyringQuestion& question, Output output) {
  if (const base::Status read = ReadArgument(question); !read.ok())
    return Complain(kName, output, read);
  const auto answer = RunKeyring(question);
  if (!answer) return Complain(kName, output, answer.error());
  fmt::print("{}", output == Output::kJson ? answer->json + "\n" : answer->text);
  return answer->missed.empty() ? 0 : Complain(kName, output, base::Unavailable(answer->missed));
}

int RunQuarantineCommand(const QuarantineQuestion& question, Output output) {
  const auto answer = RunQuarantine(question);
  if (!answer) return Complain(kName, output, answer.error());
  fmt::print("{}", output == Output::kJson ? answer->json + "\n" : answer->text);
  return answer->missed.empty() ? 0 : Complain(kName, output, base::Unavailable(answer->missed));
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
  KeyringQuestion keyring;
  AddKeyring(app, keyring);
  QuarantineQuestion quarantine;
  AddQuarantine(app, quarantine);
  RestoreQuestion restore;
  AddRestore(app, restore);
  VerifyQuestion verify;
  AddVerify(app, verify);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return EndParse(app, error, output);
  }
  output = as_json ? Output::kJson : Output::kText;
  if (keyring.action != KeyringQuestion::Action::kNone) {
    keyring.host = question.host;
    keyring.port = question.port;
    return RunKeyringCommand(keyring, output);
  }
  if (quarantine.action != QuarantineQuestion::Action::kNone) {
    quarantine.host = question.host;
    quarantine.port = question.port;
    return RunQuarantineCommand(quarantine, output);
  }
  if (app.got_subcommand("restore")) {
    restore.host = question.host;
    restore.port = question.port;
    return RunRestore(restore, output);
  }
  if (app.got_subcommand("verify")) {
    verify.host = question.host;
    verify.port = question.port;
    return RunVerify(verify, output);
  }
  if (question.command == "snapshot" && question.tag.empty())
    question.tag = std::to_string(WallMs());
  const bool pulls = question.command == "repair" && !question.dry_run;
  const auto answer = pulls && !as_json ? AskShowing(question, PullLine) : Ask(question);
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
