#include "server/moving.h"

#include <fmt/core.h>

#include <algorithm>

namespace starling::server {

Moving::Step Moving::Next(base::Instant now, const Facts& facts) {
  if (topology::IsReachedAt(facts.noted, facts.self)) {
    problem_.clear();
    held_gap_ = kGap;
    if (last_move_ && now - *last_move_ >= kSettled) {
      move_gap_ = kGap;
      last_move_.reset();
    }
    return Step::kNone;
  }
  if (proposing_ || search_ || now < next_ || (!facts.alone && !facts.met_ours)) return Step::kNone;
  next_ = now + kGap;
  if (IsHeld(now, facts)) return Step::kNone;
  if (facts.noted.cluster == facts.self.cluster)
    return MayPropose(now, facts) ? Step::kPropose : Step::kNone;
  return Step::kLook;
}

bool Moving::MayPropose(base::Instant now, const Facts& facts) {
  if (!facts.alone && now - facts.hears_since < kMoveAfter) return false;
  if (last_conflict_ && now - *last_conflict_ < kConflictOver) return false;
  return !IsHeld(now, facts);
}

bool Moving::IsHeld(base::Instant now, const Facts& facts) {
  if (facts.holder.empty()) {
    problem_.clear();
    held_gap_ = kGap;
    return false;
  }
  problem_ = fmt::format("address in use by member {}: this node at {} too is not noted there",
                         facts.holder, facts.self.cluster.ToString());
  say_ = true;
  next_ = now + held_gap_;
  held_gap_ = std::min<base::Duration>(held_gap_ * 2, kHeldGapMax);
  return true;
}

// Each epoch of ours that did not last makes the next one wait for longer. A try that came to
// nothing took none.
void Moving::OnProposed(base::Instant now, bool chosen) {
  proposing_ = false;
  if (!chosen) return;
  last_move_ = now;
  next_ = now + move_gap_;
  move_gap_ = std::min<base::Duration>(move_gap_ * 2, kMoveGapMax);
}

std::optional<Moving::Answer> Moving::TakeAnswer(base::Address at) {
  if (!search_ || search_->at != at) return std::nullopt;
  const Answer answer{search_->why, search_->refused};
  search_.reset();
  return answer;
}

}  // namespace starling::server
