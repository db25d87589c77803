// gossip/update_queue.h: of which members there is news to pass on, and who was told how often.
//
// A subject waits at most once, whatever happens to it: what is sent is its state at that time,
// read from the member table. So the queue is bounded by the number of members, and news about
// one subject overtakes older news about it by construction.
//
// In a cluster of up to kEachOnceMax others it is remembered who was told of a subject, and nobody
// is told twice before all were once. The order of turns alone does not see to that: where more
// waits than a packet holds, a subject gets, say, every fourth turn, and of eight members it
// would always be the same two.
//
// Thousands who join at once all wait in the queues of all: a subject is named by a number (a row
// of the member table, for one), and costs 4 bytes for as long as the number is in use and 8 to 16
// where it waits.
//
// Thread:    confined to one thread.
// Read next: gossip/membership.h
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "gossip/line.h"

namespace starling::gossip {

inline constexpr std::size_t kEachOnceMax = 32;

// How often an update is sent to each next member of the ring: enough to reach all with high
// probability (4 * ceil(log10(N+1)), as memberlist), and in a small cluster each member once
// (N-1, up to kEachOnceMax), because there the logarithm is too few: at N=7 it leaves one out in
// 3 % of all cases without any loss.
std::size_t RetransmitLimit(std::size_t members);

class UpdateQueue {
 public:
  using Subject = std::uint32_t;  // A member, by a dense number of the caller's.

  // There is news of `subject`: it starts again, from no transmission.
  void Push(Subject subject);
  void PushFirst(Subject subject);  // Before all others: a refutation must not wait.
  void Remove(Subject subject);

  // `target` is told nothing any more, and needs not have been told for a subject to be done. If it
  // comes back, or its number is another's, it counts as not told.
  void ForgetTarget(Subject target);

  // Who a packet is for.
  struct Audience {
    Subject target;
    std::size_t others;  // How many there are to tell, the target included.
  };
  // Offers subjects that the target has not been told of, fewest transmissions first, each at most
  // once, until `take` has refused kRefusalsMax of them. `take(subject)` is true if it was put in
  // the packet; the transmission then counts. RetransmitLimit(others + 1) of them end it, but not
  // before all of a small cluster were told.
  template <typename Take>
  void SendTo(const Audience& audience, Take take);

  // All subjects, for a packet that is sent anyway: a ride that does not count.
  template <typename Take>
  void RideAlong(Take take);

  bool empty() const { return waiting_ == 0; }
  std::size_t size() const { return waiting_; }
  // Places that are held for those that wait: at most SlotsMax(size()), whatever comes and however
  // little of it is sent.
  std::size_t slots() const { return slots_; }
  static constexpr std::size_t SlotsMax(std::size_t waiting) { return 2 * waiting + kVoidMin; }

 private:
  static constexpr std::size_t kVoidMin = 16;  // So few void slots are not worth a look at all.
  static constexpr std::size_t kRefusalsMax = 4;

  struct Slot {
    Subject subject;
    std::uint32_t stamp;  // Void unless equal to stamps_[subject].
  };
  // Of a subject, among up to kEachOnceMax others, since the last news of it.
  struct Told {
    bool all = false;
    std::vector<Subject> targets{};  // Until all were.
  };
  enum class Offered : std::uint8_t { kTaken, kRefused, kPassedOver };

  static bool Waits(std::uint32_t stamp) { return stamp % 2 == 1; }
  void Enqueue(Subject subject, std::size_t transmits);
  bool Current(const Slot& slot) const { return stamps_[slot.subject] == slot.stamp; }
  bool NeedsToHear(Subject subject, const Audience& audience) const;
  void DropStale(Line<Slot>& bucket);
  void BoundSlots();
  void Sent(const Slot& slot, std::size_t transmits, const Audience& audience);
  bool NoteTold(Subject subject, const Audience& audience);

  // Calls offer(slot, transmits) for each subject until kRefusalsMax were refused.
  template <typename Offer>
  void Scan(Offer offer);

  // buckets_[t]: subjects that were sent t times, oldest news first.
  std::vector<Line<Slot>> buckets_;
  // By subject: odd while it waits. Counts up each time it starts or stops to wait, or moves.
  std::vector<std::uint32_t> stamps_;
  // By subject too, but none where the others were always more than are remembered.
  std::vector<Told> told_;
  std::size_t waiting_ = 0;
  std::size_t slots_ = 0;  // In buckets_, the void ones included.
};

template <typename Offer>
void UpdateQueue::Scan(Offer offer) {
  if (empty()) return;  // As at most times.
  std::size_t refusals = 0;
  for (std::size_t transmits = 0; transmits < buckets_.size(); ++transmits) {
    Line<Slot>& bucket = buckets_[transmits];
    DropStale(bucket);
    for (const Slot& slot : bucket) {
      if (!Current(slot)) continue;
      if (offer(slot, transmits) == Offered::kRefused && ++refusals == kRefusalsMax) return;
    }
  }
}

template <typename Take>
void UpdateQueue::SendTo(const Audience& audience, Take take) {
  std::vector<std::pair<Slot, std::size_t>> sent;  // Moved at the end, so as to come once only.
  Scan([&](const Slot& slot, std::size_t transmits) {
    if (!NeedsToHear(slot.subject, audience)) return Offered::kPassedOver;
    if (!take(slot.subject)) return Offered::kRefused;
    sent.emplace_back(slot, transmits);
    return Offered::kTaken;
  });
  for (const auto& [slot, transmits] : sent) Sent(slot, transmits, audience);
}

template <typename Take>
void UpdateQueue::RideAlong(Take take) {
  Scan([&](const Slot& slot, std::size_t) {
    return take(slot.subject) ? Offered::kTaken : Offered::kRefused;
  });
}

}  // namespace starling::gossip
