// base/time.h: a point on the monotonic clock, and spans between two of them.
//
// Instant never goes back and means nothing outside its process. Wall time is milliseconds since
// 1970 in a plain std::int64_t named ..._ms, and is used for stamps and expiry only.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace starling::base {

using Duration = std::chrono::nanoseconds;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Instant {
  Duration since_start{0};

  auto operator<=>(const Instant&) const = default;
  Instant operator+(Duration d) const { return {since_start + d}; }
  Instant operator-(Duration d) const { return {since_start - d}; }
  Duration operator-(Instant other) const { return since_start - other.since_start; }

  static constexpr Instant Never() { return {Duration::max()}; }
};

inline std::int64_t ToMs(Duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

inline double ToSeconds(Duration d) { return std::chrono::duration<double>(d).count(); }

}  // namespace starling::base
