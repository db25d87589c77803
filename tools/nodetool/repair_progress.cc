#include "tools/nodetool/repair_progress.h"

#include <fmt/core.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "tools/nodetool/units.h"

namespace starling::nodetool {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds kShowEvery{2};

std::uint64_t Number(const Json& object, const char* field) {
  const auto found = object.find(field);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

// Until it is told to stop; what it cannot find out it does not say.
class Shower {
 public:
  explicit Shower(Question question) : question_(std::move(question)), thread_([this] { Run(); }) {}
  Shower(const Shower&) = delete;
  Shower& operator=(const Shower&) = delete;
  ~Shower() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

 private:
  bool Waits() {
    std::unique_lock lock(mutex_);
    return !wake_.wait_for(lock, kShowEvery, [this] { return done_; });
  }
  void Run() {
    while (Waits()) {
      const auto answer = Ask(question_);
      const std::string line = answer ? PullLine(*answer) : std::string();
      if (!line.empty()) fmt::print(stderr, "{}\n", line);
    }
  }

  const Question question_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;   // GUARDED_BY(mutex_)
  std::thread thread_;  // The last: it looks at all of the above.
};

}  // namespace

std::string PullLine(std::string_view netstats) {
  const Json document = Json::parse(netstats, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) return {};
  const auto repair = document.find("repair");
  if (repair == document.end() || !repair->is_object()) return {};
  const std::uint64_t slices = Number(*repair, "slices_to_pull");
  if (slices == 0) return {};
  std::string line =
      fmt::format("pulling: {} of {} slices done", Number(*repair, "slices_pulled"), slices);
  if (const auto left = repair->find("left_ms"); left != repair->end() && left->is_number_integer())
    line += fmt::format(", about {} left", ShowDuration(left->get<std::int64_t>()));
  return line;
}

base::Result<std::string> AskShowingPulls(const Question& question) {
  const Shower shower({.host = question.host, .port = question.port, .command = "netstats"});
  return Ask(question);
}

}  // namespace starling::nodetool
