// base/timers.h: many timers over the one alarm that a World offers.
//
//   timers.Add(now + milliseconds(300), tag);
//   world.WakeAt(timers.next());
//   for (std::uint64_t tag; timers.PopDue(world.Now(), &tag);) ...   // in OnWake
//
// A timer carries a tag and nothing else: what it means is its owner's business, so no callback
// outlives what it points to. An indexed binary heap: Add, Cancel and PopDue cost O(log n), and
// once as many timers have been there at a time as ever will, nothing is allocated.
//
// Thread:    confined to one thread. It never looks at a clock.
// Read next: base/world.h (WakeAt).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.h"

namespace starling::base {

using TimerId = std::uint64_t;  // Slot and generation; 0 is no timer. Stale ids are harmless.

class Timers {
 public:
  TimerId Add(Instant when, std::uint64_t tag);

  // The timer will not be popped. An id that was popped, cancelled or is 0 changes nothing.
  void Cancel(TimerId id);

  // Takes the earliest timer if it is due at `now` and gives its tag; false if none is. Timers of
  // one instant come in the order of Add.
  bool PopDue(Instant now, std::uint64_t* tag);

  // When the earliest timer is due; Instant::Never() if there is none.
  Instant next() const { return heap_.empty() ? Instant::Never() : heap_.front().when; }
  std::size_t size() const { return heap_.size(); }

 private:
  struct Entry {
    Instant when;
    std::uint64_t sequence;  // Of Add: breaks ties.
    std::uint32_t slot;
  };
  struct Slot {
    std::uint64_t tag = 0;
    std::uint32_t generation = 1;  // Raised when the timer goes, so that its id is stale.
    std::uint32_t position = 0;    // In the heap, while the timer is there.
  };

  static bool Before(const Entry& a, const Entry& b) {
    return a.when != b.when ? a.when < b.when : a.sequence < b.sequence;
  }
  void Place(std::uint32_t position, Entry entry);
  void SiftUp(std::uint32_t position, Entry entry);
  void SiftDown(std::uint32_t position, Entry entry);
  void RemoveAt(std::uint32_t position);

  std::vector<Entry> heap_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;  // Slots without a timer, last freed on top.
  std::uint64_t sequence_ = 0;
};

}  // namespace starling::base
