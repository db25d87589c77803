#include "tools/nodetool/restore_command.h"

#include <fmt/core.h>

#include "base/base64.h"
#include "base/json.h"
#include "tools/nodetool/restore.h"
#include "tools/starling/input.h"
#include "tools/starling/progress.h"

namespace starling::nodetool {
namespace {

using base::Result;
using base::Status;

constexpr const char* kName = "nodetool";
constexpr int kExitInterrupted = 128;  // And the signal's number, as a shell has it.

std::string Printable(const std::string& key) {
  return base::IsUtf8(key) ? key : "base64:" + base::ToBase64(key);
}

base::Json KeysOf(const std::vector<std::string>& keys) {
  base::Json list = base::Json::Array();
  for (const std::string& key : keys) list.Append(Printable(key));
  return list;
}

base::Json AsJson(const Restored& restored, bool dry_run) {
  base::Json object = {{"name", restored.keyspace},
                       {dry_run ? "would_be_created" : "created", restored.created},
                       {"left_out_deleted", restored.deleted},
                       {"left_out_expired", restored.expired},
                       {"damaged_entries", restored.skipped.entries},
                       {"unreadable_gaps", restored.skipped.gaps}};
  if (dry_run) {
    object.Set("same", restored.same);
    object.Set("would_be_added", restored.missing);
    object.Set("would_be_overwritten", restored.overwritten);
    object.Set("overwritten_keys", KeysOf(restored.overwritten_keys));
    object.Set("would_be_brought_back", restored.revived);
    object.Set("brought_back_keys", KeysOf(restored.revived_keys));
  } else {
    object.Set("restored", restored.puts.imported);
    object.Set("failed", restored.puts.failed);
    object.Set("unknown", restored.puts.unknown);
  }
  return object;
}

std::string Those(const char* what, std::uint64_t count, const std::vector<std::string>& keys) {
  std::string text = fmt::format("  {} {}", count, what);
  for (const std::string& key : keys)
    text += fmt::format("{} {}", &key == keys.data() ? ":" : ",", Printable(key));
  return text + (count > keys.size() && !keys.empty() ? ", ...\n" : "\n");
}

std::string AsText(const Restored& restored, bool dry_run) {
  std::string text = fmt::format("{}{}\n", restored.keyspace,
                                 !restored.created ? ""
                                 : dry_run         ? " (would be created)"
                                                   : " (created)");
  if (dry_run) {
    text += Those("would be added", restored.missing, {});
    text += Those("would be overwritten", restored.overwritten, restored.overwritten_keys);
    text += Those("are deleted there and would be brought back", restored.revived,
                  restored.revived_keys);
    text += Those("are the same there, and would be written again", restored.same, {});
  } else {
    text += Those("restored", restored.puts.imported, {});
  }
  text += fmt::format("  {} left out that were deleted, {} that have expired\n", restored.deleted,
                      restored.expired);
  return text;
}

// What was not restored and should have been; empty: nothing.
std::string Shortfall(const std::vector<Restored>& all) {
  std::string text;
  const auto say = [&](const Restored& restored, const std::string& what) {
    text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", restored.keyspace, what);
  };
  for (const Restored& restored : all) {
    const cli::ImportReport& puts = restored.puts;
    if (puts.failed + puts.unknown + puts.not_tried > 0 || puts.gave_up)
      say(restored, fmt::format("{} failed, {} of unknown outcome{}{}", puts.failed, puts.unknown,
                                puts.gave_up ? ", given up" : "",
                                puts.failures.empty() ? "" : ": " + puts.failures.front().why));
    if (!restored.skipped.first.empty())
      say(restored,
          fmt::format("{} damaged entries and {} unreadable gaps left out: {}",
                      restored.skipped.entries, restored.skipped.gaps, restored.skipped.first));
  }
  return text;
}

Result<std::vector<Restored>> Do(const RestoreQuestion& question, const cli::Interrupt& interrupt) {
  ASSIGN_OR_RETURN(
      const auto client,
      client::Client::Connect({.hosts = fmt::format("{}:{}", question.host, question.port)}));
  const auto damaged = question.damaged ? server::Damaged::kSkip : server::Damaged::kRefuse;
  ASSIGN_OR_RETURN(const auto snapshots, SnapshotSet::Open(question.paths, damaged));
  cli::Progress progress;
  RestoreOptions options{.keyspace = question.keyspace,
                         .dry_run = question.dry_run,
                         .partial = question.partial,
                         .damaged = question.damaged};
  options.progress = [&](const std::string& text) { progress.Show(text); };
  options.interrupted = [&] { return interrupt.signal() != 0; };
  auto restored = Restore(*snapshots, *client, options);
  progress.End();
  return restored;
}

void Print(const std::vector<Restored>& all, bool dry_run, tools::Output output) {
  base::Json keyspaces = base::Json::Array();
  std::string text;
  for (const Restored& restored : all) {
    keyspaces.Append(AsJson(restored, dry_run));
    text += AsText(restored, dry_run);
  }
  if (output == tools::Output::kJson)
    fmt::print("{}\n", base::Json{{"dry_run", dry_run}, {"keyspaces", keyspaces}}.Text());
  else
    fmt::print("{}", text);
}

// What to do about a snapshot that is damaged. Where its manifest or database cannot be opened at
// all, --damaged does not open it either.
std::string WhatElse(const RestoreQuestion& question) {
  if (question.damaged) return "";
  const bool readable = SnapshotSet::Open(question.paths, server::Damaged::kSkip).has_value();
  return std::string("; nothing was restored: take another snapshot") +
         (readable ? ", or add --damaged to restore what can be read" : "");
}

}  // namespace

int RunRestore(const RestoreQuestion& question, tools::Output output) {
  const cli::Interrupt interrupt;
  const auto all = Do(question, interrupt);
  if (!all) {
    const Status& why = all.error();
    if (why.code() != base::Code::kCorruption) return tools::Complain(kName, output, why);
    return tools::Complain(kName, output, base::Corruption(why.message() + WhatElse(question)));
  }
  Print(*all, question.dry_run, output);
  if (interrupt.signal() != 0) return kExitInterrupted + interrupt.signal();
  const std::string shortfall = Shortfall(*all);
  return shortfall.empty() ? 0 : tools::Complain(kName, output, base::Unavailable(shortfall));
}

}  // namespace starling::nodetool
