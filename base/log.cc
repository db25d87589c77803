#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>

namespace starling::base::log {
namespace {

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

void Write(Level level, std::string_view module, std::string_view line) {
  constexpr std::array kLevels{spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                               spdlog::level::err, spdlog::level::off};
  Logger().log(kLevels[static_cast<std::size_t>(level)], "{}: {}", module, line);
}

}  // namespace starling::base::log
