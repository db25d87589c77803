#include "tools/nodetool/units.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <ctime>

namespace starling::nodetool {

std::string ShowSize(double bytes) {
  constexpr std::string_view kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < std::size(kUnits)) {
    bytes /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} bytes", bytes)
                   : fmt::format("{:.2f} {}", bytes, kUnits[unit]);
}

std::string ShowDuration(std::int64_t ms) {
  if (ms < 1000) return fmt::format("{} ms", ms);
  if (ms < 120'000) return fmt::format("{:.1f} s", static_cast<double>(ms) / 1000);
  if (ms < 7'200'000) return fmt::format("{} min", ms / 60'000);
  if (ms < 172'800'000) return fmt::format("{} h", ms / 3'600'000);
  return fmt::format("{} days", ms / 86'400'000);
}

std::string ShowMicros(std::int64_t us) {
  if (us < 1'000'000) return fmt::format("{:.2f} ms", static_cast<double>(us) / 1000);
  return ShowDuration(us / 1000);
}

std::string ShowTime(std::int64_t wall_ms, std::int64_t now_ms) {
  const std::time_t seconds = wall_ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &utc);
  const std::string distance = ShowDuration(std::max(now_ms - wall_ms, wall_ms - now_ms));
  return wall_ms <= now_ms ? fmt::format("{} ({} ago)", text, distance)
                           : fmt::format("{} (in {})", text, distance);
}

std::string ShowName(std::string_view field) {
  for (const std::string_view unit : {"_bytes", "_ms", "_us"})
    if (field.ends_with(unit)) field.remove_suffix(unit.size());
  std::string name(field);
  std::replace(name.begin(), name.end(), '_', ' ');
  if (!name.empty()) name[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(name[0])));
  return name;
}

std::int64_t WallMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace starling::nodetool
