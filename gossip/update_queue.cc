// gossip/update_queue.cc: buckets by transmissions; a slot is void when its subject has a newer
// one.
#include "gossip/update_queue.h"

#include <algorithm>

#include "base/check.h"
#include "base/mutants.h"

namespace starling::gossip {

std::size_t RetransmitLimit(std::size_t members) {
  std::size_t decades = 1;  // ceil(log10(members + 1)), at least 1.
  for (std::size_t power = 10; power < members + 1; power *= 10) ++decades;
  const std::size_t each_once = std::min(members > 0 ? members - 1 : 0, kEachOnceMax);
  if (base::Mutant("gossip-few-sends")) return decades;
  return std::max(4 * decades, each_once);
}

void UpdateQueue::Push(Subject subject) {
  if (subject >= stamps_.size()) stamps_.resize(subject + 1);
  if (!Waits(stamps_[subject])) {
    ++stamps_[subject];
    ++waiting_;
  }
  if (subject < told_.size()) {
    told_[subject].all = false;
    told_[subject].targets.clear();
  }
  Enqueue(subject, 0);
}

// REQUIRES: it waits.
void UpdateQueue::Enqueue(Subject subject, std::size_t transmits) {
  if (buckets_.size() <= transmits) buckets_.resize(transmits + 1);
  buckets_[transmits].PushBack({subject, stamps_[subject] += 2});
  ++slots_;
  BoundSlots();
}

void UpdateQueue::PushFirst(Subject subject) {
  Push(subject);
  buckets_[0].BackToFront();
}

void UpdateQueue::Remove(Subject subject) {
  if (subject >= stamps_.size() || !Waits(stamps_[subject])) return;
  ++stamps_[subject];
  if (--waiting_ > 0) return BoundSlots();
  for (Line<Slot>& bucket : buckets_) bucket.Clear();  // All are void.
  slots_ = 0;
}

void UpdateQueue::ForgetTarget(Subject target) {
  for (Told& told : told_) std::erase(told.targets, target);
}

bool UpdateQueue::NeedsToHear(Subject subject, const Audience& audience) const {
  if (audience.others > kEachOnceMax || subject >= told_.size()) return true;
  const Told& told = told_[subject];
  if (told.all || told.targets.size() >= audience.others) return true;  // The next lap.
  return std::find(told.targets.begin(), told.targets.end(), audience.target) == told.targets.end();
}

void UpdateQueue::DropStale(Line<Slot>& bucket) {
  while (!bucket.empty() && !Current(bucket.front())) {
    bucket.PopFront();
    --slots_;
  }
}

// Where more is news than packets take, no scan comes to the later buckets, whose subjects are
// pushed anew all the time. So void slots go when they are more than the others, wherever they are:
// for each that was made void one or two are looked at.
void UpdateQueue::BoundSlots() {
  if (slots_ <= SlotsMax(waiting_)) return;
  slots_ = 0;
  for (Line<Slot>& bucket : buckets_) {
    bucket.EraseIf([this](const Slot& slot) { return !Current(slot); });
    slots_ += bucket.size();
  }
  CHECK(slots_ == waiting_);
}

void UpdateQueue::Sent(const Slot& slot, std::size_t transmits, const Audience& audience) {
  const bool all_told = audience.others > kEachOnceMax || NoteTold(slot.subject, audience);
  const bool often_enough = transmits + 1 >= RetransmitLimit(audience.others + 1);
  if (often_enough && all_told)
    Remove(slot.subject);
  else
    Enqueue(slot.subject, transmits + 1);
}

// True if by now each of the others was told once.
bool UpdateQueue::NoteTold(Subject subject, const Audience& audience) {
  if (subject >= told_.size()) told_.resize(subject + 1);
  Told& told = told_[subject];
  if (!told.all) told.targets.push_back(audience.target);
  if (told.targets.size() >= audience.others) {
    told.all = true;
    told.targets.clear();
  }
  return told.all;
}

}  // namespace starling::gossip
