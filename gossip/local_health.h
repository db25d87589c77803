// gossip/local_health.h: how far this node distrusts itself: Lifeguard's local health multiplier.
//
// Evidence that this node is slow or badly connected raises the score, an answered probe lowers
// it; its own timeouts grow with it, so that a sick node gets slower to accuse instead of taking
// others down.
//
// Thread: a value.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"
#include "gossip/features.h"

namespace starling::gossip {

class LocalHealth {
 public:
  static constexpr std::int64_t kScoreMax = 7;

  explicit LocalHealth(Mode mode) : counts_(FeaturesOf(mode).local_health) {}

  void Worse(std::int64_t by = 1) { Move(by); }
  void Better() { Move(-1); }

  base::Duration Scale(base::Duration timeout) const { return timeout * (score_ + 1); }
  std::int64_t score() const { return score_; }  // 0: sound.

 private:
  void Move(std::int64_t by) {
    if (counts_) score_ = std::clamp<std::int64_t>(score_ + by, 0, kScoreMax);
  }

  bool counts_;
  std::int64_t score_ = 0;
};

}  // namespace starling::gossip
