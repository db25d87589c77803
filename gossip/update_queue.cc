// gossip/update_queue.cc: buckets by transmissions; a slot is void when its subject has a newer
// one.
#include "gossip/update_queue.h"

#include <algorithm>

namespace starling::gossip {

std::size_t RetransmitLimit(std::size_t members) {
  std::size_t decades = 1;  // ceil(log10(members + 1)), at least 1.
  for (std::size_t power = 10; power < members + 1; power *= 10) ++decades;
  const std::size_t each_once = std::min<std::size_t>(members > 0 ? members - 1 : 0, 32);
  return std::max(4 * decades, each_once);
}

void UpdateQueue::Push(base::HostId subject) {
  if (buckets_.empty()) buckets_.resize(1);
  stamps_[subject] = ++next_stamp_;
  buckets_[0].push_back({subject, next_stamp_});
}

void UpdateQueue::PushFirst(base::HostId subject) {
  Push(subject);
  buckets_[0].push_front(buckets_[0].back());
  buckets_[0].pop_back();
}

void UpdateQueue::Remove(base::HostId subject) { stamps_.erase(subject); }

bool UpdateQueue::Current(const Slot& slot) const {
  const auto found = stamps_.find(slot.subject);
  return found != stamps_.end() && found->second == slot.stamp;
}

// Void slots at the front go at once; if they are most of a bucket, all go. That bounds buckets_
// by twice the subjects plus what is pushed between two sends.
void UpdateQueue::DropStale(std::deque<Slot>& bucket) {
  while (!bucket.empty() && !Current(bucket.front())) bucket.pop_front();
  if (bucket.size() > 2 * stamps_.size() + 16)
    std::erase_if(bucket, [this](const Slot& slot) { return !Current(slot); });
}

void UpdateQueue::Sent(const Slot& slot, std::size_t transmits, std::size_t limit) {
  if (transmits + 1 >= limit) {
    stamps_.erase(slot.subject);
    return;
  }
  if (buckets_.size() <= transmits + 1) buckets_.resize(transmits + 2);
  stamps_[slot.subject] = ++next_stamp_;
  buckets_[transmits + 1].push_back({slot.subject, next_stamp_});
}

}  // namespace starling::gossip
