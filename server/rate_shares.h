// server/rate_shares.h: one rate that two users share evenly, as far as they want it.
//
// Of a worker's part of repair.rate one share is for what this node pulls, the other for what it
// reads for its peers' pulls. While one has nothing to do, the other has all of the rate. While
// both want something, who was given less since then comes next: so that a node whose peers ask
// for more than the rate gives catches up itself all the same, and its peers do while it pulls.
//
// Thread:    confined.
// Ownership: a share points into its RateShares.
// Read next: server/rate_limit.h, server/page_lane.h, server/repair_pull.h
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "server/rate_limit.h"

namespace starling::server {

class RateShares;

class RateShare {
 public:
  RateShare() = default;
  RateShare(const RateShare&) = delete;
  RateShare& operator=(const RateShare&) = delete;

  // Whether the user may go on now. Who may not is held to wait, and asks again with each turn. Who
  // may is about to read something that will be counted, and is held to wait for a moment more; no
  // longer, since it may find that something else is in its way.
  bool Ready(base::Instant now);
  void Count(base::Instant now, std::uint64_t bytes);

 private:
  friend class RateShares;
  RateShare& other();
  bool Waits(base::Instant now) const { return now < waits_until_; }
  bool Wants(base::Instant now) const { return now < wants_until_; }

  RateShares* all_ = nullptr;
  base::Instant waits_until_{};
  std::optional<base::Instant> granted_until_;  // It was granted, and nothing was counted since.
  base::Instant wants_until_{};                 // It asked, whatever it had since.
  std::uint64_t given_ = 0;                     // Since the other wants something as well.
};

class RateShares {
 public:
  // 0: no limit.
  explicit RateShares(std::uint64_t bytes_per_second)
      : rate_(bytes_per_second), behind_max_(std::min(kBehindMax, 2 * bytes_per_second)) {
    pulls.all_ = peers.all_ = this;
  }

  RateShare pulls;
  RateShare peers;

 private:
  friend class RateShare;
  // Who waits asks with each turn, and once a tick at least. A user that stopped asking holds the
  // other up for so long.
  static constexpr base::Duration kWaits = base::milliseconds(500);
  // From a grant to its count, if it is a page of this node's. Longer: who pulls from far away is
  // waited for each time; shorter: who reads slowly has less than its share.
  static constexpr base::Duration kGranted = base::milliseconds(50);
  // What one that wants little is behind the other is no credit for later, but for one of the
  // largest values, and for two seconds of the rate where that is less. Higher: larger values are
  // shared evenly; lower: less of a wait for the other.
  static constexpr std::uint64_t kBehindMax = 16 << 20;

  RateLimit rate_;
  std::uint64_t behind_max_;
};

inline RateShare& RateShare::other() { return this == &all_->pulls ? all_->peers : all_->pulls; }

inline bool RateShare::Ready(base::Instant now) {
  if (!all_->rate_.limited()) return true;
  const bool turn = !other().Waits(now) || given_ <= other().given_;
  const bool ready = turn && all_->rate_.Ready(now);
  wants_until_ = now + RateShares::kWaits;
  if (ready && !granted_until_) granted_until_ = now + RateShares::kGranted;
  waits_until_ = ready ? *granted_until_ : wants_until_;
  return ready;
}

// What was had while the other wanted nothing is not held against anybody.
inline void RateShare::Count(base::Instant now, std::uint64_t bytes) {
  all_->rate_.Count(now, bytes);
  waits_until_ = {};
  granted_until_.reset();
  given_ = other().Wants(now) ? given_ + bytes : 0;
  if (!other().Wants(now)) other().given_ = 0;
  given_ = std::min(given_, other().given_ + all_->behind_max_);
}

}  // namespace starling::server
