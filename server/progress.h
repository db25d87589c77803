// server/progress.h: how far work is that is under way, and how long the rest of it takes.
//
// All that tells operators how long something will take tells it by TimeLeft: netstats,
// repairstatus and those who show progress while they wait.
//
// Thread: values.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace starling::server {

// Until the rest is done, if it goes as what is done did. nullopt: nothing to tell it by, yet.
inline std::optional<base::Duration> TimeLeft(std::uint64_t done, std::uint64_t left,
                                              base::Duration elapsed) {
  if (left == 0) return base::Duration(0);
  if (done == 0) return std::nullopt;
  // Nanoseconds times entries leave 64 bits within a minute. Beyond a year it is no estimate.
  constexpr base::Duration kLeftMax = std::chrono::hours(24 * 365);
  const double ns =
      static_cast<double>(elapsed.count()) * static_cast<double>(left) / static_cast<double>(done);
  if (ns >= static_cast<double>(kLeftMax.count())) return kLeftMax;
  return base::Duration(static_cast<std::int64_t>(ns));
}

// Of work that goes by slices. Tokens are hashes, so these are much the same size.
struct SliceProgress {
  std::uint64_t slices = 0;  // That there are to do,
  std::uint64_t done = 0;    // and those of them that are done with.
  base::Duration elapsed{0};

  SliceProgress& operator+=(const SliceProgress& other) {
    slices += other.slices;
    done += other.done;
    elapsed = std::max(elapsed, other.elapsed);
    return *this;
  }
  std::optional<base::Duration> Left() const { return TimeLeft(done, slices - done, elapsed); }
};

// Of a walk over entries, whose number is that of the trees' leaves.
struct EntryProgress {
  std::uint64_t entries = 0;
  std::uint64_t done = 0;  // Never more: what is damaged may be counted otherwise.
  base::Duration elapsed{0};

  std::optional<base::Duration> Left() const { return TimeLeft(done, entries - done, elapsed); }
};

}  // namespace starling::server
