#include "server/moving.h"

#include <fmt/core.h>

#include <algorithm>

namespace starling::server {

Moving::Step Moving::Next(base::Instant now, const Facts& facts) {
  if (topology::IsReachedAt(facts.noted, facts.self)) {
    problem_.clear();
    held_gap_ = kGap;
    silence_.reset();
    left_ = {};
    if (last_move_ && now - *last_move_ >= kSettled) {
      move_gap_ = kGap;
      last_move_.reset();
    }
    return Step::kNone;
  }
  // Else it is this node that cannot be reached.
  if (!facts.hears_others) silence_.reset();
  if (search_ || now < next_ || (!facts.alone && !facts.met_ours)) return Step::kNone;
  next_ = now + kGap;
  if (IsHeld(now, facts)) return Step::kNone;
  if (facts.noted.cluster == facts.self.cluster)
    return MayPropose(now, facts) ? Step::kPropose : Step::kNone;
  return Step::kLook;
}

bool Moving::MayPropose(base::Instant now, const Facts& facts) {
  if (proposing_) return false;
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

std::optional<Moving::Look> Moving::TakeAnswer(base::Instant now, base::Address at, There there) {
  if (!search_ || search_->at != at) return std::nullopt;
  const Search look = *search_;
  search_.reset();
  if (there == There::kNobody && !look.refused) {
    NoteSilence(now, look);
  } else {
    silence_.reset();
    left_ = there == There::kTwin ? base::Address{} : at;
  }
  return look.why;
}

void Moving::NoteSilence(base::Instant now, const Search& look) {
  // This process slept: the answer may be there, unread.
  if (now - look.ends() > kLookMax) return silence_.reset();
  const bool goes_on =
      silence_ && silence_->at == look.at && look.began - silence_->until <= kSilenceHolds;
  if (!goes_on) silence_ = {.at = look.at, .since = look.began, .until = now};
  silence_->until = now;
}

base::Address Moving::Left(base::Instant now, base::Duration silence_to_dead) const {
  if (left_.port != 0 || !silence_) return left_;
  const bool lasts = now - silence_->until <= kSilenceHolds;
  const bool dead = silence_->until - silence_->since >= silence_to_dead;
  return lasts && dead ? silence_->at : base::Address{};
}

}  // namespace starling::server
