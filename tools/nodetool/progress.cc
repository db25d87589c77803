#include "tools/nodetool/progress.h"

#include <fmt/core.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "tools/nodetool/json.h"
#include "tools/nodetool/units.h"
#include "tools/starling/progress.h"

namespace starling::nodetool {
namespace {

constexpr std::chrono::seconds kShowEvery{2};

std::uint64_t Number(const Json& object, const char* field) {
  const auto found = object.find(field);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

// Null when there is none.
Json Section(std::string_view netstats, const char* name) {
  const Json document = Json::parse(netstats, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) return {};
  const auto section = document.find(name);
  return section != document.end() && section->is_object() ? *section : Json();
}

std::string AboutLeft(const Json& section) {
  const auto left = section.find("left_ms");
  if (left == section.end() || !left->is_number_integer()) return {};
  return fmt::format(", about {} left", ShowDuration(left->get<std::int64_t>()));
}

// Until it is told to stop; what it cannot find out it does not say.
class Shower {
 public:
  Shower(Question question, const LineOf& line_of)
      : question_(std::move(question)), line_of_(line_of), thread_([this] { Run(); }) {}
  Shower(const Shower&) = delete;
  Shower& operator=(const Shower&) = delete;
  ~Shower() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    wake_.notify_one();
    thread_.join();
    shown_.End();
  }

 private:
  bool Waits() {
    std::unique_lock lock(mutex_);
    return !wake_.wait_for(lock, kShowEvery, [this] { return done_; });
  }
  void Run() {
    while (Waits()) {
      const auto answer = Ask(question_);
      const std::string line = answer ? line_of_(*answer) : std::string();
      if (!line.empty()) shown_.Show(line);
    }
  }

  const Question question_;
  const LineOf& line_of_;
  cli::Progress shown_;  // The thread's while that lives.
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;   // GUARDED_BY(mutex_)
  std::thread thread_;  // The last: it looks at all of the above.
};

}  // namespace

std::string PullLine(std::string_view netstats) {
  const Json repair = Section(netstats, "repair");
  const std::uint64_t slices = repair.is_null() ? 0 : Number(repair, "slices_to_pull");
  if (slices == 0) return {};
  return fmt::format("pulling: {} of {} slices done{}", Number(repair, "slices_pulled"), slices,
                     AboutLeft(repair));
}

std::string MakeLine(std::string_view netstats) {
  const Json trees = Section(netstats, "trees");
  const std::uint64_t slices = trees.is_null() ? 0 : Number(trees, "slices_to_make");
  if (slices == 0) return {};
  return fmt::format("making trees anew: {} of {} slices done{}", Number(trees, "slices_made"),
                     slices, AboutLeft(trees));
}

std::string VerifyLine(std::string_view netstats) {
  const Json verification = Section(netstats, "verification");
  const std::uint64_t entries =
      verification.is_null() ? 0 : Number(verification, "entries_to_check");
  if (entries == 0) return {};
  return fmt::format("{} of {} entries checked{}", Number(verification, "entries_checked"), entries,
                     AboutLeft(verification));
}

base::Result<std::string> AskShowing(const Question& question, const LineOf& line_of) {
  const Shower shower({.host = question.host, .port = question.port, .command = "netstats"},
                      line_of);
  return Ask(question);
}

}  // namespace starling::nodetool
