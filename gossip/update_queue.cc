// gossip/update_queue.cc: buckets by transmissions; a slot is void when its subject has a newer
// one.
#include "gossip/update_queue.h"

#include <algorithm>

#include "base/mutants.h"

namespace starling::gossip {

std::size_t RetransmitLimit(std::size_t members) {
  std::size_t decades = 1;  // ceil(log10(members + 1)), at least 1.
  for (std::size_t power = 10; power < members + 1; power *= 10) ++decades;
  const std::size_t each_once = std::min(members > 0 ? members - 1 : 0, kEachOnceMax);
  if (base::Mutant("gossip-few-sends")) return decades;
  return std::max(4 * decades, each_once);
}

void UpdateQueue::Push(base::HostId subject) {
  const auto [found, is_new] = places_.try_emplace(subject, 0);
  if (is_new) {
    if (free_.empty()) {
      free_.push_back(static_cast<Place>(waiting_.size()));
      waiting_.emplace_back();
    }
    found->second = free_.back();
    free_.pop_back();
  }
  Waiting& waiting = waiting_[found->second];
  waiting.all_told = false;
  waiting.told.clear();
  Enqueue(subject, found->second, 0);
}

void UpdateQueue::Enqueue(base::HostId subject, Place place, std::size_t transmits) {
  if (buckets_.size() <= transmits) buckets_.resize(transmits + 1);
  waiting_[place].stamp = ++next_stamp_;
  buckets_[transmits].PushBack({subject, place, next_stamp_});
}

void UpdateQueue::Free(base::HostId subject, Place place) {
  waiting_[place].stamp = 0;
  free_.push_back(place);
  places_.erase(subject);
}

void UpdateQueue::PushFirst(base::HostId subject) {
  Push(subject);
  buckets_[0].BackToFront();
}

void UpdateQueue::Remove(base::HostId subject) {
  const auto found = places_.find(subject);
  if (found != places_.end()) Free(subject, found->second);
}

void UpdateQueue::ForgetTarget(base::HostId target) {
  for (Waiting& waiting : waiting_) std::erase(waiting.told, target);
}

bool UpdateQueue::NeedsToHear(const Slot& slot, const Audience& audience) const {
  const Waiting& waiting = waiting_[slot.place];
  if (waiting.all_told || waiting.told.size() >= audience.others) return true;  // The next lap.
  return audience.others > kEachOnceMax ||
         std::find(waiting.told.begin(), waiting.told.end(), audience.target) == waiting.told.end();
}

// Void slots at the front go at once; if they are most of a bucket, all go. That bounds buckets_
// by twice the subjects plus what is pushed between two sends.
void UpdateQueue::DropStale(Line<Slot>& bucket) {
  while (!bucket.empty() && !Current(bucket.front())) bucket.PopFront();
  if (bucket.size() > 2 * places_.size() + 16)
    bucket.EraseIf([this](const Slot& slot) { return !Current(slot); });
}

void UpdateQueue::Sent(const Slot& slot, std::size_t transmits, const Audience& audience) {
  Waiting& waiting = waiting_[slot.place];
  if (!waiting.all_told && audience.others <= kEachOnceMax) waiting.told.push_back(audience.target);
  if (audience.others > kEachOnceMax || waiting.told.size() >= audience.others) {
    waiting.all_told = true;
    waiting.told.clear();
  }
  const bool often_enough = transmits + 1 >= RetransmitLimit(audience.others + 1);
  if (often_enough && waiting.all_told)
    Free(slot.subject, slot.place);
  else
    Enqueue(slot.subject, slot.place, transmits + 1);
}

}  // namespace starling::gossip
