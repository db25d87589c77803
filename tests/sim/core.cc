#include "tests/sim/core.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"

namespace starling::sim {

Event& Core::Add(base::Instant when, EventKind kind) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(pool_.size()));
    pool_.emplace_back();
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  heap_.push_back({std::max(when, now), sequence_++, slot});
  std::push_heap(heap_.begin(), heap_.end(), Later{});
  pool_[slot].kind = kind;
  return pool_[slot];
}

base::Instant Core::next() const {
  return heap_.empty() ? base::Instant::Never() : heap_.front().when;
}

Event Core::Take() {
  CHECK(!heap_.empty());
  std::pop_heap(heap_.begin(), heap_.end(), Later{});
  const Due due = heap_.back();
  heap_.pop_back();
  now = due.when;
  free_.push_back(due.slot);
  return std::exchange(pool_[due.slot], Event{});
}

base::Duration Core::UpTo(base::Duration max) {
  return base::Duration(random.Below(static_cast<std::uint64_t>(max.count()) + 1));
}

void Core::Trace(std::uint64_t what, std::uint64_t who, base::Bytes bytes) {
  const auto time = static_cast<std::uint64_t>(now.since_start.count());
  const std::uint64_t content = bytes.empty() ? 0 : base::Hash64(bytes);
  trace_ = base::Mix64(trace_ ^ (time * 0x9e3779b97f4a7c15ULL) ^ (what << 48 | who)) ^ content;
}

}  // namespace starling::sim
