// server/loop_lag.h: how late a loop came to what was due, at worst of late.
//
// The worst of a window of time and of the one before, so that a scraper that asks more seldom than
// once a second still sees a stall, and it is forgotten within two windows.
//
// Thread: confined, as its owner is.
#pragma once

#include <algorithm>
#include <utility>

#include "base/time.h"

namespace starling::server {

class LoopLag {
 public:
  static constexpr base::Duration kWindow = base::seconds(10);

  void Note(base::Instant now, base::Duration lag) {
    if (now >= window_ends_) {
      window_ends_ = now + kWindow;
      before_ = std::exchange(worst_, base::Duration(0));
    }
    worst_ = std::max(worst_, lag);
  }
  base::Duration worst() const { return std::max(worst_, before_); }

 private:
  base::Duration worst_{}, before_{};
  base::Instant window_ends_;
};

}  // namespace starling::server
