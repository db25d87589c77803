// tools/starling/transfer_commands.cc: import and export as commands: files, progress, the report.
#include <fmt/core.h>

#include <chrono>
#include <istream>

#include "base/json.h"
#include "base/printable.h"
#include "server/config_units.h"
#include "tools/starling/client_putter.h"
#include "tools/starling/commands.h"
#include "tools/starling/connect.h"
#include "tools/starling/input.h"
#include "tools/starling/progress.h"
#include "tools/starling/transfer.h"

namespace starling::cli {

using base::Json;
using base::Status;

namespace {

// "3 failed", "3 failed, 200 of unknown outcome".
std::string DescribeFailures(const ImportReport& report) {
  std::string text = fmt::format("{} failed", report.failed);
  if (report.unknown > 0) text += fmt::format(", {} of unknown outcome", report.unknown);
  return text;
}

std::string Describe(const ImportReport& report, double seconds) {
  const double rate = seconds > 0 ? static_cast<double>(report.imported) / seconds : 0;
  return fmt::format("{} imported, {:.1f} MB, {:.0f}/s, {}", report.imported,
                     static_cast<double>(report.bytes) / 1e6, rate, DescribeFailures(report));
}

Json AsJson(const ImportFailure& failure) {
  return {{"line", failure.line}, {"message", failure.why}};
}

Json AsJson(const ImportReport& report, double seconds) {
  Json failures = Json::Array();
  for (const ImportFailure& failure : report.failures) failures.Append(AsJson(failure));
  Json by_code = Json::Object();
  for (const auto& [code, alike] : report.failures_by_code)
    by_code.Set(CodeName(code), {{"count", alike.count}, {"first", AsJson(alike.first)}});
  return {{"lines", report.lines},
          {"imported", report.imported},
          {"failed", report.failed},
          {"unknown", report.unknown},
          {"bytes", report.bytes},
          {"seconds", seconds},
          {"interrupted", report.interrupted},
          {"gave_up", report.gave_up},
          {"failures", failures},
          {"failures_by_code", by_code}};
}

void PrintReport(const Options& options, const ImportReport& report, double seconds) {
  if (options.output == Output::kJson) {
    PrintJson(AsJson(report, seconds));
    return;
  }
  fmt::print("{} of {} lines in {:.1f} s\n", Describe(report, seconds), report.lines, seconds);
  for (const ImportFailure& failure : report.failures)
    fmt::print(stderr, "line {}: {}\n", failure.line, base::Printable(failure.why));
  if (report.failed + report.unknown == report.failures.size()) return;
  for (const auto& [code, alike] : report.failures_by_code)
    fmt::print(stderr, "{} lines in all {}, the first is line {}: {}\n", alike.count,
               MayBeStored(code) ? "are of unknown outcome" : "failed", alike.first.line,
               base::Printable(alike.first.why));
}

std::string NameInput(const std::string& file) {
  return file == "-" ? "standard input" : fmt::format("'{}'", file);
}

// A pipe may go on for ever: only a file's lines are counted.
std::string WhatIsLeft(std::istream& in, const std::string& name, std::uint64_t lines) {
  if (name == "-") return "the rest of standard input was not read";
  for (std::string line; std::getline(in, line);)
    if (!line.empty()) ++lines;
  return fmt::format("{} more lines of '{}' were not tried", lines, name);
}

// How long an entry still lives, at least 1 ms; 0: for ever.
std::uint64_t RemainingMs(std::uint64_t expiry_ms) {
  if (expiry_ms == 0) return 0;
  const auto now =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count());
  return expiry_ms > now ? expiry_ms - now : 1;
}

}  // namespace

int Import(const Options& options) {
  const auto format = ParseFormat(options.format);
  if (!format) return Complain(options.output, format.error());
  const auto input = Input::Open(options.file);
  if (!input) return Complain(options.output, input.error());
  auto session = Connect(options);
  if (!session) return Complain(options.output, session.error());
  const Interrupt interrupt;
  (*input)->EndAt(interrupt);
  std::istream file(input->get());
  ClientPutter putter(*session->client, session->request);
  Progress progress;
  const ImportReport report = Import(
      file, putter, {.format = *format},
      {.progress = [&](const ImportReport& r) { progress.Show(Describe(r, progress.seconds())); },
       .trouble =
           [&](const ImportFailure& first) {
             progress.End();
             fmt::print(stderr, "line {}, the first that was refused: {}\n", first.line,
                        base::Printable(first.why));
           },
       .interrupted = [&] { return interrupt.signal() != 0; }});
  progress.End();
  PrintReport(options, report, progress.seconds());
  if (report.interrupted) {
    if (options.output == Output::kText)
      fmt::print(stderr, "starling: interrupted: {} imported, {}, the rest of {} was not read\n",
                 report.imported, DescribeFailures(report), NameInput(options.file));
    return kExitInterrupted + interrupt.signal();
  }
  if (report.gave_up)
    return Complain(
        options.output,
        base::Unavailable(fmt::format(
            "gave up: for {} or more, puts have failed, {} or more, and none was made; {}",
            server::FormatDuration(ImportOptions().give_up_after), ImportOptions().failures_max,
            WhatIsLeft(file, options.file, report.not_tried))));
  if (const Status& status = (*input)->status(); !status.ok())
    return Complain(options.output,
                    base::Io(fmt::format("{} can't be read beyond its first {} lines: {}",
                                         NameInput(options.file), report.lines, status.message())));
  return report.failed + report.unknown == 0 ? kExitDone : kExitFailed;
}

int Export(const Options& options) {
  const auto format = ParseFormat(options.format);
  if (!format) return Complain(options.output, format.error());
  auto session = Connect(options);
  if (!session) return Complain(options.output, session.error());
  client::ScanCursor cursor;
  std::string lines;
  while (!cursor.done) {
    const auto page = session->client->Scan(cursor, session->request);
    if (!page) return Complain(options.output, page.error());
    lines.clear();
    for (const client::ScannedEntry& entry : *page)
      FormatLineTo({.key = entry.key, .value = entry.value, .ttl_ms = RemainingMs(entry.expiry_ms)},
                   *format, lines);
    fmt::print("{}", lines);
  }
  return kExitDone;
}

}  // namespace starling::cli
