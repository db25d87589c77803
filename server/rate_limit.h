// server/rate_limit.h: so many bytes a second, on the average.
//
// What was done is counted afterwards, since only then is it known how large it was: the next has
// to wait for it.
//
// Thread: confined.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace starling::server {

class RateLimit {
 public:
  // 0: no limit.
  explicit RateLimit(std::uint64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}

  bool limited() const { return bytes_per_second_ > 0; }
  bool Ready(base::Instant now) const { return free_at_ <= now; }
  void Count(base::Instant now, std::uint64_t bytes) {
    if (bytes_per_second_ == 0) return;
    const auto takes = base::Duration(static_cast<std::int64_t>(
        static_cast<double>(bytes) * 1e9 / static_cast<double>(bytes_per_second_)));
    // What was not used lately may be made up for, so that a late timer costs nothing.
    free_at_ = std::max(free_at_, now - kMadeUpMax) + takes;
  }

 private:
  static constexpr base::Duration kMadeUpMax = base::milliseconds(200);

  const std::uint64_t bytes_per_second_;
  base::Instant free_at_{};
};

}  // namespace starling::server
