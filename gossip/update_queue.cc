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

// What is there already starts again where it is: news of one subject take no new room.
std::uint64_t UpdateQueue::StartAgain(base::HostId subject) {
  Waiting& waiting = waiting_[subject];
  waiting.all_told = false;
  waiting.told.clear();
  waiting.stamp = ++next_stamp_;
  if (buckets_.empty()) buckets_.resize(1);
  return waiting.stamp;
}

void UpdateQueue::Push(base::HostId subject) {
  const std::uint64_t stamp = StartAgain(subject);
  buckets_[0].PushBack({subject, stamp});
}

void UpdateQueue::PushFirst(base::HostId subject) {
  const std::uint64_t stamp = StartAgain(subject);
  buckets_[0].PushFront({subject, stamp});
}

void UpdateQueue::Remove(base::HostId subject) { waiting_.erase(subject); }

void UpdateQueue::ForgetTarget(base::HostId target) {
  for (auto& [subject, waiting] : waiting_) std::erase(waiting.told, target);
}

bool UpdateQueue::Current(const Slot& slot) const {
  const auto found = waiting_.find(slot.subject);
  return found != waiting_.end() && found->second.stamp == slot.stamp;
}

bool UpdateQueue::NeedsToHear(const Slot& slot, const Audience& audience) const {
  const Waiting& waiting = waiting_.at(slot.subject);
  if (waiting.all_told || waiting.told.size() >= audience.others) return true;  // The next lap.
  return audience.others > kEachOnceMax ||
         std::find(waiting.told.begin(), waiting.told.end(), audience.target) == waiting.told.end();
}

// Void slots at the front go at once; if they are most of a bucket, all go. That bounds buckets_
// by twice the subjects plus what is pushed between two sends.
void UpdateQueue::DropStale(Line<Slot>& bucket) {
  while (!bucket.empty() && !Current(bucket.front())) bucket.PopFront();
  if (bucket.size() > 2 * waiting_.size() + 16)
    bucket.EraseIf([this](const Slot& slot) { return !Current(slot); });
}

void UpdateQueue::Sent(const Slot& slot, std::size_t transmits, const Audience& audience) {
  Waiting& waiting = waiting_.at(slot.subject);
  if (!waiting.all_told && audience.others <= kEachOnceMax) waiting.told.push_back(audience.target);
  if (audience.others > kEachOnceMax || waiting.told.size() >= audience.others) {
    waiting.all_told = true;
    waiting.told.clear();
  }
  const bool often_enough = transmits + 1 >= RetransmitLimit(audience.others + 1);
  if (often_enough && waiting.all_told) {
    waiting_.erase(slot.subject);
    return;
  }
  waiting.stamp = ++next_stamp_;
  if (buckets_.size() <= transmits + 1) buckets_.resize(transmits + 2);
  buckets_[transmits + 1].PushBack({slot.subject, waiting.stamp});
}

}  // namespace starling::gossip
