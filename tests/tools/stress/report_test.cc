// Goal:   the table and the JSON tell the same figures, and errors and findings are not left out.
//
// Method: a report filled by hand, with latencies whose percentiles are known.
#include "tools/stress/report.h"

#include <nlohmann/json.hpp>

#include "tests/test.h"

namespace starling::stress {
namespace {

// A thousand reads of 1 to 1000 ms, a hundred writes of 5 ms, and three errors, in 10 s.
LoadReport Report() {
  LoadReport report;
  report.seconds = 10;
  report.operations = 1100;
  report.errors = 3;
  for (std::uint64_t ms = 1; ms <= 1000; ++ms) {
    report.by_type["read"].ns.Record(ms * 1'000'000);
    report.all_ns.Record(ms * 1'000'000);
  }
  report.by_type["read"].operations = 1000;
  report.by_type["write"].operations = 100;
  report.by_type["write"].ns.Record(5'000'000, 100);
  report.all_ns.Record(5'000'000, 100);
  report.errors_by_class = {{"Overloaded", 1}, {"Timeout", 2}};
  report.error_examples = {{"Overloaded", "no room"}, {"Timeout", "silence"}};
  return report;
}

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_SUITE("stress/report") {
  TEST_CASE("JSON: throughput and latencies by operation and over all") {
    const auto json = nlohmann::json::parse(ReportAsJson(Report(), "the load", std::nullopt));
    EXPECT(json["load"] == "the load");
    EXPECT(json["operations"] == 1100);
    EXPECT(json["ops_per_second"] == 110.0);
    EXPECT(json["errors"] == nlohmann::json{{"Overloaded", 1}, {"Timeout", 2}});
    const auto& read = json["latency"]["read"];
    EXPECT(read["operations"] == 1000);
    EXPECT(read["ops_per_second"] == 100.0);
    EXPECT(read["mean_us"].get<double>() == doctest::Approx(500'500).epsilon(0.001));
    const std::pair<const char*, double> percentiles[] = {
        {"p50_us", 500e3}, {"p95_us", 950e3}, {"p99_us", 990e3}, {"p999_us", 999e3}};
    for (const auto& [name, us] : percentiles)
      EXPECT(read[name].get<double>() == doctest::Approx(us).epsilon(0.01));
    EXPECT(read["max_us"] == 1'000'000);
    EXPECT(json["latency"]["write"]["max_us"] == 5000);
    EXPECT(json["latency"]["all"]["operations"] == 1100);
    EXPECT(!json.contains("check"));
    EXPECT(!json.contains("open_loop"));
  }

  TEST_CASE("text: a row an operation, each class of error with its first message") {
    const std::string text = ShowReport(Report(), "the load", std::nullopt);
    for (const char* part :
         {"the load\n", "1100 operations in 10.0 s: 110 a second; 3 errors", "mean ms", "p99.9",
          "\nread ", "\nwrite ", "\nall ", "1000.00", "error Timeout: 2, the first: silence",
          "error Overloaded: 1, the first: no room"})
      EXPECT(Has(text, part));
    EXPECT(!Has(text, "check:"));
  }

  TEST_CASE("what an open loop left out, or began late, is told in both") {
    LoadReport report = Report();
    report.late_ns.Record(7'000'000);
    report.never_begun = 42;
    EXPECT(Has(ShowReport(report, "", std::nullopt), "due and never begun: 42"));
    const auto json = nlohmann::json::parse(ReportAsJson(report, "", std::nullopt));
    EXPECT(json["open_loop"]["never_begun"] == 42);
    EXPECT(json["open_loop"]["late_max_us"] == 7000);
  }

  TEST_CASE("a verdict is told in both") {
    const Verdict verdict{.reads = 9,
                          .lost = 1,
                          .stale = 2,
                          .resurrected = 3,
                          .phantom = 4,
                          .examples = {"lost: user1 read nothing"}};
    const std::string text = ShowReport(Report(), "", verdict);
    EXPECT(Has(text, "check: 9 reads judged: 1 lost, 2 stale, 3 resurrected, 4 phantom\n"));
    EXPECT(Has(text, "lost: user1 read nothing"));
    const auto json = nlohmann::json::parse(ReportAsJson(Report(), "", verdict));
    EXPECT(json["check"] ==
           nlohmann::json{
               {"reads", 9}, {"lost", 1}, {"stale", 2}, {"resurrected", 3}, {"phantom", 4}});
  }

  TEST_CASE("an error's text that is no UTF-8, and a load without any operation, are no trouble") {
    LoadReport report;
    report.errors = 1;
    report.errors_by_class = {{"Io", 1}};
    report.error_examples = {{"Io", "\xff\xfe"}};
    EXPECT(nlohmann::json::parse(ReportAsJson(report, "\xff", std::nullopt))["operations"] == 0);
    EXPECT(Has(ShowReport(report, "", std::nullopt), "0 operations in 0.0 s: 0 a second"));
  }
}

}  // namespace
}  // namespace starling::stress
