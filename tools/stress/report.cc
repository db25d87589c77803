#include "tools/stress/report.h"

#include <fmt/core.h>

#include <utility>

#include "base/json.h"

namespace starling::stress {

using base::Histogram;
using base::Json;

namespace {

double Ms(std::uint64_t ns) { return static_cast<double>(ns) / 1e6; }

double PerSecond(std::uint64_t operations, double seconds) {
  return seconds > 0 ? static_cast<double>(operations) / seconds : 0;
}

std::string Row(std::string_view name, std::uint64_t operations, double seconds,
                const Histogram& ns) {
  return fmt::format(
      "{:<18} {:>11} {:>10.0f} {:>8.2f} {:>8.2f} {:>8.2f} {:>8.2f} {:>8.2f} {:>8.2f}\n", name,
      operations, PerSecond(operations, seconds), ns.mean() / 1e6, Ms(ns.Percentile(50)),
      Ms(ns.Percentile(95)), Ms(ns.Percentile(99)), Ms(ns.Percentile(99.9)), Ms(ns.max()));
}

Json LatencyAsJson(std::uint64_t operations, double seconds, const Histogram& ns) {
  return {{"operations", operations},           {"ops_per_second", PerSecond(operations, seconds)},
          {"mean_us", ns.mean() / 1e3},         {"p50_us", ns.Percentile(50) / 1000},
          {"p90_us", ns.Percentile(90) / 1000}, {"p95_us", ns.Percentile(95) / 1000},
          {"p99_us", ns.Percentile(99) / 1000}, {"p999_us", ns.Percentile(99.9) / 1000},
          {"max_us", ns.max() / 1000}};
}

// Of an open loop: whether the generator kept its pace.
std::string ShowPace(const LoadReport& report) {
  if (report.late_ns.count() == 0 && report.never_begun == 0) return "";
  return fmt::format(
      "begun late: p50 {:.2f} ms, p99 {:.2f} ms, max {:.2f} ms (part of the latencies); "
      "due and never begun: {}\n",
      Ms(report.late_ns.Percentile(50)), Ms(report.late_ns.Percentile(99)),
      Ms(report.late_ns.max()), report.never_begun);
}

}  // namespace

std::string ShowProgress(const Progress& progress) {
  return fmt::format("{:6.0f} s {:>9} ops/s   p50 {:.2f} ms   p99 {:.2f} ms   {} errors{}",
                     progress.at_seconds, progress.operations, Ms(progress.ns.Percentile(50)),
                     Ms(progress.ns.Percentile(99)), progress.errors,
                     progress.warming_up ? "   (warm-up)" : "");
}

std::string ShowVerdict(const Verdict& verdict) {
  std::string text =
      fmt::format("check: {} reads judged: {} lost, {} stale, {} resurrected, {} phantom\n",
                  verdict.reads, verdict.lost, verdict.stale, verdict.resurrected, verdict.phantom);
  for (const std::string& example : verdict.examples) text += "  " + example + '\n';
  return text;
}

std::string ShowReport(const LoadReport& report, const std::string& described,
                       const std::optional<Verdict>& verdict) {
  std::string text =
      fmt::format("{}\n{} operations in {:.1f} s: {:.0f} a second; {} errors{}\n\n", described,
                  report.operations, report.seconds, PerSecond(report.operations, report.seconds),
                  report.errors, report.interrupted ? " (interrupted)" : "");
  text += fmt::format("{:<18} {:>11} {:>10} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}\n", "", "ops",
                      "ops/s", "mean ms", "p50", "p95", "p99", "p99.9", "max");
  for (const auto& [type, latencies] : report.by_type)
    text += Row(type, latencies.operations, report.seconds, latencies.ns);
  if (report.by_type.size() > 1)
    text += Row("all", report.operations, report.seconds, report.all_ns);
  text += ShowPace(report);
  if (report.errors > 0) text += '\n';
  for (const auto& [name, count] : report.errors_by_class)
    text +=
        fmt::format("error {}: {}, the first: {}\n", name, count, report.error_examples.at(name));
  if (verdict) text += '\n' + ShowVerdict(*verdict);
  return text;
}

std::string ReportAsJson(const LoadReport& report, const std::string& described,
                         const std::optional<Verdict>& verdict) {
  Json errors = Json::Object();
  for (const auto& [name, count] : report.errors_by_class) errors.Set(name, count);
  Json latency = {{"all", LatencyAsJson(report.operations, report.seconds, report.all_ns)}};
  for (const auto& [type, latencies] : report.by_type)
    latency.Set(type, LatencyAsJson(latencies.operations, report.seconds, latencies.ns));
  Json document = {{"load", described},
                   {"seconds", report.seconds},
                   {"operations", report.operations},
                   {"ops_per_second", PerSecond(report.operations, report.seconds)},
                   {"interrupted", report.interrupted},
                   {"errors", std::move(errors)},
                   {"latency", std::move(latency)}};
  if (report.late_ns.count() > 0 || report.never_begun > 0)
    document.Set("open_loop", {{"late_p50_us", report.late_ns.Percentile(50) / 1000},
                               {"late_p99_us", report.late_ns.Percentile(99) / 1000},
                               {"late_max_us", report.late_ns.max() / 1000},
                               {"never_begun", report.never_begun}});
  if (verdict)
    document.Set("check", {{"reads", verdict->reads},
                           {"lost", verdict->lost},
                           {"stale", verdict->stale},
                           {"resurrected", verdict->resurrected},
                           {"phantom", verdict->phantom}});
  return document.Text(Json::Layout::kIndented) + '\n';
}

}  // namespace starling::stress
