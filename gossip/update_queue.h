// gossip/update_queue.h: of which members there is news to pass on, and how often each was sent.
//
// A subject waits at most once, whatever happens to it: what is sent is its state at that time,
// read from the member table. So the queue is bounded by the number of members, and news about
// one subject overtakes older news about it by construction.
//
// Thread:    confined to one thread.
// Read next: gossip/membership.h
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "base/host_id.h"

namespace starling::gossip {

// How often an update is sent to each next member of the ring: enough to reach all with high
// probability (4 * ceil(log10(N+1)), as memberlist), and in a small cluster each member once
// (N-1, up to 32), because there the logarithm is too few: at N=7 it leaves one out in 3 % of
// all cases without any loss.
std::size_t RetransmitLimit(std::size_t members);

class UpdateQueue {
 public:
  // There is news of `subject`: it starts again, from no transmission.
  void Push(base::HostId subject);
  void PushFirst(base::HostId subject);  // Before all others: a refutation must not wait.
  void Remove(base::HostId subject);

  // Offers subjects, fewest transmissions first, each at most once, until `take` has refused
  // kRefusalsMax of them. `take(subject)` is true if it was put in the packet; the transmission
  // then counts, and `limit` of them end it.
  template <typename Take>
  void SendTo(std::size_t limit, Take take) {
    Scan(take, Counting{true, limit});
  }

  // The same for a packet that is sent anyway: a ride that does not count.
  template <typename Take>
  void RideAlong(Take take) {
    Scan(take, Counting{false, 0});
  }

  bool empty() const { return stamps_.empty(); }
  std::size_t size() const { return stamps_.size(); }

 private:
  static constexpr std::size_t kRefusalsMax = 4;

  struct Slot {
    base::HostId subject;
    std::uint64_t stamp;  // Stale unless equal to stamps_[subject].
  };
  struct HashHost {
    std::size_t operator()(const base::HostId& host) const { return host.low ^ host.high; }
  };
  struct Counting {
    bool counts;
    std::size_t limit;
  };

  bool Current(const Slot& slot) const;
  void DropStale(std::deque<Slot>& bucket);
  void Sent(const Slot& slot, std::size_t transmits, std::size_t limit);

  template <typename Take>
  void Scan(Take& take, Counting counting);

  // buckets_[t]: subjects that were sent t times, oldest news first.
  std::vector<std::deque<Slot>> buckets_;
  std::unordered_map<base::HostId, std::uint64_t, HashHost> stamps_;  // Looked up, not iterated.
  std::uint64_t next_stamp_ = 0;
};

template <typename Take>
void UpdateQueue::Scan(Take& take, Counting counting) {
  std::size_t refusals = 0;
  std::vector<std::pair<Slot, std::size_t>> sent;  // Moved at the end, so as to come once only.
  for (std::size_t transmits = 0; transmits < buckets_.size(); ++transmits) {
    std::deque<Slot>& bucket = buckets_[transmits];
    DropStale(bucket);
    for (const Slot& slot : bucket) {
      if (!Current(slot)) continue;
      if (take(slot.subject)) {
        if (counting.counts) sent.emplace_back(slot, transmits);
      } else if (++refusals == kRefusalsMax) {
        break;
      }
    }
    if (refusals == kRefusalsMax) break;
  }
  for (const auto& [slot, transmits] : sent) Sent(slot, transmits, counting.limit);
}

}  // namespace starling::gossip
