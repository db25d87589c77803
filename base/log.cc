#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/printable.h"

namespace starling::base::log {
namespace {

struct Line {
  Level level;
  std::string text;
};

// What a Held keeps back.
struct Keep {
  std::atomic<bool> active{false};  // Looked at first, so that a line costs no lock.
  std::mutex mutex;
  std::string module;       // GUARDED_BY(mutex)
  std::vector<Line> lines;  // GUARDED_BY(mutex)
};
Keep keep;

bool KeptBack(Level level, std::string_view module, std::string_view line) {
  if (!keep.active.load(std::memory_order_acquire)) return false;
  const std::lock_guard lock(keep.mutex);
  if (module != keep.module) return false;
  if (keep.lines.size() < Held::kLinesMax) keep.lines.push_back({level, std::string(line)});
  return true;
}

std::vector<Line> EndKeeping() {
  const std::lock_guard lock(keep.mutex);
  keep.active.store(false, std::memory_order_release);
  keep.module.clear();
  return std::exchange(keep.lines, {});
}

std::atomic<Level> threshold{Level::kInfo};

spdlog::logger& Logger() {
  static const auto logger = [] {
    auto made = spdlog::stderr_logger_mt("starling");
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e %L %v");
    made->set_level(spdlog::level::trace);  // Enabled() has filtered already.
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *logger;
}

}  // namespace

void SetLevel(Level level) { threshold = level; }

bool Enabled(Level level) { return level >= threshold.load(std::memory_order_relaxed); }

Result<Level> ParseLevel(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, Level>, 5> kNames{{{"debug", Level::kDebug},
                                                                      {"info", Level::kInfo},
                                                                      {"warn", Level::kWarn},
                                                                      {"error", Level::kError},
                                                                      {"off", Level::kOff}}};
  for (const auto& [name, level] : kNames)
    if (name == text) return level;
  return Fail(InvalidArgument(
      fmt::format("'{}' is not a log level (debug, info, warn, error, off)", text)));
}

Held::Held(std::string_view module) {
  const std::lock_guard lock(keep.mutex);
  CHECK(!keep.active.load(std::memory_order_relaxed));
  keep.module = module;
  keep.active.store(true, std::memory_order_release);
}

Held::~Held() { EndKeeping(); }

void Held::Release() {
  std::string module;
  {
    const std::lock_guard lock(keep.mutex);
    module = keep.module;
  }
  for (const Line& line : EndKeeping()) Write(line.level, module, line.text);
}

void Write(Level level, std::string_view module, std::string_view line) {
  if (KeptBack(level, module, line)) return;
  constexpr std::array kLevels{spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                               spdlog::level::err, spdlog::level::off};
  Logger().log(kLevels[static_cast<std::size_t>(level)], "{}: {}", module, Printable(line));
}

}  // namespace starling::base::log
