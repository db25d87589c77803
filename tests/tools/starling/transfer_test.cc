// Goal:   import keeps its window, repeats only what changed nothing, and names the lines that
// failed.
//
// Method: a Putter that answers as the test says, at once or on another thread.
#include "tools/starling/transfer.h"

#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "tests/test.h"

namespace starling::cli {
namespace {

using base::Status;

// Answers each put of a key with the next of the statuses planned for it, then with ok.
class PlannedPutter final : public Putter {
 public:
  void Put(const Record& record, std::function<void(const Status&)> done) override {
    ++puts[record.key];
    auto& planned = plan[record.key];
    Status status;
    if (!planned.empty()) {
      status = planned.front();
      planned.erase(planned.begin());
    }
    done(status);
  }

  std::map<std::string, std::vector<Status>> plan;
  std::map<std::string, int> puts;
};

// Answers at once, with what the function says.
class FunctionPutter final : public Putter {
 public:
  explicit FunctionPutter(std::function<Status(const Record&)> answer)
      : answer_(std::move(answer)) {}
  void Put(const Record& record, std::function<void(const Status&)> done) override {
    done(answer_(record));
  }

 private:
  std::function<Status(const Record&)> answer_;
};

// Keeps the puts and answers them from a thread of its own once `held_min` wait, or on Flush.
class SlowPutter final : public Putter {
 public:
  void Put(const Record& record, std::function<void(const Status&)> done) override {
    bytes_ += record.value.size();
    bytes_max = std::max(bytes_max, bytes_);
    held_.push_back([this, size = record.value.size(), done = std::move(done)] {
      bytes_ -= size;
      done(base::Ok());
    });
    held_most = std::max(held_most, held_.size());
    if (held_.size() < answer_at) return;
    std::thread([held = std::exchange(held_, {})] {
      for (const auto& one : held) one();
    }).join();
  }

  std::size_t answer_at = 1;
  std::size_t held_most = 0;
  std::size_t bytes_max = 0;

 private:
  std::size_t bytes_ = 0;
  std::vector<std::function<void()>> held_;
};

ImportReport ImportText(const std::string& text, Putter& putter, ImportOptions options = {}) {
  options.retry_after = base::milliseconds(0);
  std::istringstream in(text);
  return Import(in, putter, options, {.progress = {}, .trouble = {}});
}

std::string Lines(int count, std::size_t value_size = 1) {
  std::string text;
  for (int i = 0; i < count; ++i)
    FormatLineTo({.key = "k" + std::to_string(i), .value = std::string(value_size, 'v')},
                 Format::kJsonl, text);
  return text;
}

TEST_SUITE("tools/starling/transfer") {
  TEST_CASE("every line is put, and the counts say so") {
    PlannedPutter putter;
    const ImportReport report = ImportText(Lines(1000), putter);
    EXPECT(report.lines == 1000);
    EXPECT(report.imported == 1000);
    EXPECT(report.failed == 0);
    EXPECT(putter.puts.size() == 1000);
  }

  TEST_CASE("a bad line is named by its number and stops no other") {
    PlannedPutter putter;
    const ImportReport report = ImportText(Lines(2) + "\n" + "nonsense\n" + Lines(1), putter);
    EXPECT(report.lines == 4);  // The empty one is none.
    EXPECT(report.imported == 3);
    REQUIRE(report.failures.size() == 1);
    EXPECT(report.failures[0].line == 4);
    EXPECT(report.failures[0].why.starts_with("the line is no JSON object: "));
  }

  TEST_CASE("what changed nothing is put again, and in the end it fails") {
    PlannedPutter putter;
    putter.plan["k0"] = {base::Overloaded("full"), base::Unavailable("alone")};
    putter.plan["k1"] = std::vector<Status>(99, base::Unavailable("alone"));
    const ImportReport report = ImportText(Lines(3), putter, {.retries_max = 4});
    EXPECT(report.imported == 2);
    EXPECT(putter.puts["k0"] == 3);
    EXPECT(putter.puts["k1"] == 5);
    REQUIRE(report.failures.size() == 1);
    EXPECT(report.failures[0].line == 2);
    EXPECT(report.failures[0].why == "Unavailable: alone");
  }

  TEST_CASE("a put whose outcome is unknown is not put again") {
    PlannedPutter putter;
    putter.plan["k0"] = {base::Timeout("the outcome is unknown")};
    const ImportReport report = ImportText(Lines(1), putter);
    EXPECT(report.unknown == 1);  // Which is not refused.
    EXPECT(report.failed == 0);
    EXPECT(putter.puts["k0"] == 1);
  }

  TEST_CASE("no more puts are in flight than the window has room for") {
    SlowPutter putter;
    SUBCASE("by number") {
      putter.answer_at = 8;
      const ImportReport report = ImportText(Lines(64), putter, {.in_flight_max = 8});
      EXPECT(report.imported == 64);
      EXPECT(putter.held_most == 8);
    }
    SUBCASE("by bytes, and one that exceeds them goes alone") {
      const ImportReport report =
          ImportText(Lines(10, 5000), putter, {.in_flight_bytes_max = 1000});
      EXPECT(report.imported == 10);
      EXPECT(putter.bytes_max == 5000);
    }
  }

  TEST_CASE("a line that waits to be put again holds up no other") {
    std::vector<std::string> order;
    std::map<std::string, int> attempts;
    FunctionPutter putter([&](const Record& record) {
      order.push_back(record.key);
      return ++attempts[record.key] == 1 ? base::Unavailable("alone") : base::Ok();
    });
    std::istringstream in(Lines(8));
    const ImportReport report = Import(in, putter, {.retry_after = base::milliseconds(50)},
                                       {.progress = {}, .trouble = {}});
    EXPECT(report.imported == 8);
    REQUIRE(order.size() == 16);
    EXPECT(std::set<std::string>(order.begin(), order.begin() + 8).size() == 8);
  }

  TEST_CASE("the first refusal is told at once, and once") {
    std::vector<ImportFailure> told;
    std::size_t puts_before = 0;
    std::size_t puts = 0;
    FunctionPutter putter([&](const Record&) {
      ++puts;
      return base::Unavailable("alone");
    });
    std::istringstream in(Lines(5));
    const ImportReport report = Import(in, putter, {.retry_after = base::milliseconds(0)},
                                       {.progress = {}, .trouble = [&](const ImportFailure& first) {
                                          told.push_back(first);
                                          puts_before = puts;
                                        }});
    EXPECT(report.failed == 5);
    REQUIRE(told.size() == 1);
    EXPECT(told[0].line == 1);
    EXPECT(told[0].why == "Unavailable: alone");
    EXPECT(puts_before == 1);
  }

  TEST_CASE("it goes on although a node dies with all that was in flight to it") {
    base::Instant now;
    int puts = 0;
    FunctionPutter putter([&](const Record&) {
      now = now + base::milliseconds(1);
      // 400 connections' worth of silence, which is no second.
      return ++puts > 100 && puts <= 500 ? base::Timeout("no answer") : base::Ok();
    });
    const ImportReport report = ImportText(Lines(1000), putter, {.now = [&] { return now; }});
    EXPECT(!report.gave_up);
    EXPECT(report.lines == 1000);
    EXPECT(report.imported == 600);
    EXPECT(report.unknown == 400);
    EXPECT(report.failed == 0);
  }

  TEST_CASE("it goes on when failures follow a long time without anything to put") {
    base::Instant now;
    int puts = 0;
    FunctionPutter putter([&](const Record&) {
      if (++puts == 10) now = now + std::chrono::hours(1);  // The input was slow.
      return puts >= 10 && puts < 300 ? base::Timeout("no answer") : base::Ok();
    });
    const ImportReport report = ImportText(Lines(400), putter, {.now = [&] { return now; }});
    EXPECT(!report.gave_up);
    EXPECT(report.unknown == 290);
  }

  TEST_CASE("it gives up when many puts fail, for long, and none is made between them") {
    base::Instant now;
    int puts = 0;
    FunctionPutter putter([&](const Record&) {
      now = now + base::seconds(1);
      return ++puts == 5 ? base::Ok() : base::InvalidArgument("no such keyspace");
    });
    ImportOptions options{.failures_max = 10, .now = [&] { return now; }};
    std::uint64_t failures = 0;
    SUBCASE("which is first long, then many") {
      options.give_up_after = base::seconds(3);
      failures = 10;
    }
    SUBCASE("or first many, then long") {
      options.give_up_after = base::seconds(30);
      failures = 31;
    }
    std::istringstream in(Lines(100));
    const ImportReport report = Import(in, putter, options, {.progress = {}, .trouble = {}});
    EXPECT(report.gave_up);
    EXPECT(report.imported == 1);
    EXPECT(report.failed == 4 + failures);
    EXPECT(report.lines == 5 + failures);
    EXPECT(report.not_tried == 1);  // It was read.
    std::uint64_t left = 0;
    for (std::string line; std::getline(in, line);) ++left;
    EXPECT(report.lines + report.not_tried + left == 100);
  }

  TEST_CASE("what waits to be put again fails for its reason when it gives up") {
    FunctionPutter putter([](const Record& record) {
      return record.key == "k0" ? base::Unavailable("alone") : base::InvalidArgument("no");
    });
    std::istringstream in(Lines(50));
    const ImportReport report = Import(in, putter,
                                       {.retry_after = std::chrono::hours(1),
                                        .failures_max = 3,
                                        .give_up_after = base::seconds(0)},
                                       {.progress = {}, .trouble = {}});
    EXPECT(report.failed == 4);
    REQUIRE(!report.failures.empty());
    EXPECT(report.failures[0].why == "Unavailable: alone");
  }

  TEST_CASE("an interrupt ends it: what is under way is counted, the rest is not read") {
    bool interrupted = false;
    int puts = 0;
    FunctionPutter putter([&](const Record&) {
      interrupted = ++puts == 30;
      return puts == 10 || puts == 30 ? base::Unavailable("alone") : base::Ok();
    });
    std::istringstream in(Lines(100));
    const ImportReport report =
        Import(in, putter, {.retry_after = std::chrono::hours(1)},
               {.progress = {}, .trouble = {}, .interrupted = [&] { return interrupted; }});
    EXPECT(report.interrupted);
    EXPECT(!report.gave_up);
    EXPECT(puts == 30);  // Neither of the two is put again.
    EXPECT(report.lines == 30);
    EXPECT(report.imported == 28);
    EXPECT(report.failed == 2);
  }

  TEST_CASE("failures are counted by their code, each with the first in the file") {
    PlannedPutter putter;
    putter.plan["k1"] = {base::Timeout("no answer")};
    putter.plan["k2"] = {base::Timeout("no answer either")};
    putter.plan["k4"] = {base::InvalidArgument("too long")};
    const ImportReport report = ImportText(Lines(5) + "nonsense\n", putter);
    EXPECT(report.imported == 2);
    EXPECT(report.unknown == 2);
    EXPECT(report.failed == 2);
    REQUIRE(report.failures_by_code.size() == 2);
    const ImportFailures& unknown = report.failures_by_code.at(base::Code::kTimeout);
    EXPECT(unknown.count == 2);
    EXPECT(unknown.first.line == 2);
    EXPECT(unknown.first.why == "Timeout: no answer");
    EXPECT(report.failures_by_code.at(base::Code::kInvalidArgument).count == 2);
    EXPECT(report.failures_by_code.at(base::Code::kInvalidArgument).first.line == 5);
  }

  TEST_CASE("only the first failures are kept, and all are counted") {
    PlannedPutter putter;
    std::string text;
    for (int i = 0; i < 50; ++i) text += "nonsense\n";
    const ImportReport report = ImportText(text, putter, {.failures_kept = 3});
    EXPECT(report.failed == 50);
    REQUIRE(report.failures.size() == 3);
    EXPECT(report.failures[2].line == 3);
  }
}

}  // namespace
}  // namespace starling::cli
