#include "base/timers.h"

#include "base/check.h"

namespace starling::base {

TimerId Timers::Add(Instant when, std::uint64_t tag) {
  if (free_.empty()) {
    CHECK(slots_.size() < UINT32_MAX);
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  slots_[slot].tag = tag;
  heap_.emplace_back();
  SiftUp(static_cast<std::uint32_t>(heap_.size() - 1), {when, sequence_++, slot});
  return static_cast<TimerId>(slots_[slot].generation) << 32 | slot;
}

void Timers::Cancel(TimerId id) {
  const auto slot = static_cast<std::uint32_t>(id);
  const auto generation = static_cast<std::uint32_t>(id >> 32);
  if (slot >= slots_.size() || slots_[slot].generation != generation) return;
  // Only a live timer's id carries the slot's generation: RemoveAt raises it.
  const std::uint32_t position = slots_[slot].position;
  if (position < heap_.size() && heap_[position].slot == slot) RemoveAt(position);
}

bool Timers::PopDue(Instant now, std::uint64_t* tag) {
  if (heap_.empty() || heap_.front().when > now) return false;
  *tag = slots_[heap_.front().slot].tag;
  RemoveAt(0);
  return true;
}

void Timers::RemoveAt(std::uint32_t position) {
  const std::uint32_t slot = heap_[position].slot;
  if (++slots_[slot].generation == 0) slots_[slot].generation = 1;  // An id is never 0.
  free_.push_back(slot);
  const Entry last = heap_.back();
  heap_.pop_back();
  if (position == heap_.size()) return;
  // The last entry takes the place, and may belong above or below it.
  if (position > 0 && Before(last, heap_[(position - 1) / 2])) {
    SiftUp(position, last);
  } else {
    SiftDown(position, last);
  }
}

void Timers::Place(std::uint32_t position, Entry entry) {
  heap_[position] = entry;
  slots_[entry.slot].position = position;
}

void Timers::SiftUp(std::uint32_t position, Entry entry) {
  while (position > 0) {
    const std::uint32_t parent = (position - 1) / 2;
    if (!Before(entry, heap_[parent])) break;
    Place(position, heap_[parent]);
    position = parent;
  }
  Place(position, entry);
}

void Timers::SiftDown(std::uint32_t position, Entry entry) {
  const auto size = static_cast<std::uint32_t>(heap_.size());
  for (std::uint32_t child = 2 * position + 1; child < size; child = 2 * position + 1) {
    if (child + 1 < size && Before(heap_[child + 1], heap_[child])) ++child;
    if (!Before(heap_[child], entry)) break;
    Place(position, heap_[child]);
    position = child;
  }
  Place(position, entry);
}

}  // namespace starling::base
