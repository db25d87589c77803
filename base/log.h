// base/log.h: lines for operators, each with a level and the module that speaks.
//
//   log::Info("repair", "{}: {} entries pulled from {}", keyspace, count, peer);
//
// spdlog is behind it, in log.cc alone, because its headers cost seconds of compile time each.
// Thread: any.
#pragma once

#include <fmt/core.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace starling::base::log {

enum class Level : std::uint8_t { kDebug, kInfo, kWarn, kError, kOff };

void SetLevel(Level level);
Result<Level> ParseLevel(std::string_view text);  // "debug", "info", "warn", "error", "off"
bool Enabled(Level level);
// One line, whatever it quotes (base/printable.h).
void Write(Level level, std::string_view module, std::string_view line);

// Keeps back what a module says, while it lives: of a start that may be refused, of which one
// message of our own is to be said, and not what a library makes of the same. Up to kLinesMax; what
// is beyond goes unsaid, and so does what was not released when it ends. REQUIRES: no other lives.
class Held {
 public:
  static constexpr std::size_t kLinesMax = 100;

  explicit Held(std::string_view module);
  ~Held();
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  void Release();  // Says it after all, and keeps back no more.
};

template <typename... Args>
void Debug(std::string_view module, fmt::format_string<Args...> format, Args&&... args) {
  if (Enabled(Level::kDebug))
    Write(Level::kDebug, module, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void Info(std::string_view module, fmt::format_string<Args...> format, Args&&... args) {
  if (Enabled(Level::kInfo))
    Write(Level::kInfo, module, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void Warn(std::string_view module, fmt::format_string<Args...> format, Args&&... args) {
  if (Enabled(Level::kWarn))
    Write(Level::kWarn, module, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void Error(std::string_view module, fmt::format_string<Args...> format, Args&&... args) {
  if (Enabled(Level::kError))
    Write(Level::kError, module, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace starling::base::log
