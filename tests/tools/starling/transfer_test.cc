// Goal:   import keeps its window, repeats only what changed nothing, and names the lines that
// failed.
//
// Method: a Putter that answers as the test says, at once or on another thread.
#include "tools/starling/transfer.h"

#include <map>
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
  return Import(in, putter, options, [](const ImportReport&) {});
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
    EXPECT(report.failures[0].why == "the line is no JSON object");
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
    EXPECT(report.failed == 1);
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
