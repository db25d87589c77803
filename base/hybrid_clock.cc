#include "base/hybrid_clock.h"

#include <algorithm>

#include "base/check.h"

namespace starling::base {
namespace {

constexpr unsigned kCounterBits = 16;

// A wall clock before 1970 or after the year 10889 is wrong, not ours to crash on.
std::uint64_t PhysicalPart(std::int64_t wall_ms) {
  constexpr std::int64_t kMsMax = (std::int64_t{1} << 48) - 1;
  return static_cast<std::uint64_t>(std::clamp(wall_ms, std::int64_t{0}, kMsMax)) << kCounterBits;
}

std::uint64_t After(std::uint64_t timestamp) {
  return timestamp == UINT64_MAX ? timestamp : timestamp + 1;
}

// `timestamp` moved on by `ms`, stopping at the end of time.
std::uint64_t Ahead(std::uint64_t timestamp, std::int64_t ms) {
  const std::uint64_t step = PhysicalPart(ms);
  return timestamp > UINT64_MAX - step ? UINT64_MAX : timestamp + step;
}

}  // namespace

HybridClock::HybridClock(NodeNumber node, std::uint32_t nonce_start, std::uint32_t nonce_stride)
    : node_(node), nonce_start_(nonce_start), nonce_stride_(nonce_stride) {
  CHECK(node != 0);
  CHECK(nonce_stride != 0);
}

std::uint64_t HybridClock::Candidate(std::int64_t wall_ms) const {
  return std::max(PhysicalPart(wall_ms), After(last_));
}

std::optional<Version> HybridClock::Next(std::int64_t wall_ms) {
  const std::uint64_t timestamp = Candidate(wall_ms);
  if (timestamp > bound_ || timestamp == last_) return std::nullopt;
  last_ = timestamp;
  return Version{timestamp, node_, NextNonce()};
}

Version HybridClock::NextAbove(Version floor, std::int64_t wall_ms) {
  const std::uint64_t own = Candidate(wall_ms);
  if (own > floor.timestamp && own <= bound_) {
    last_ = own;
    return {own, node_, NextNonce()};
  }
  return {After(floor.timestamp), node_, NextNonce()};
}

void HybridClock::SetFloor(std::uint64_t timestamp) { last_ = std::max(last_, timestamp); }

bool HybridClock::needs_reservation(std::int64_t wall_ms) const {
  return Ahead(Candidate(wall_ms), kReserveAgainMs) > bound_;
}

std::uint64_t HybridClock::reserve_until(std::int64_t wall_ms) const {
  return std::max(bound_, Ahead(Candidate(wall_ms), kReserveAheadMs));
}

void HybridClock::Reserved(std::uint64_t bound) { bound_ = std::max(bound_, bound); }

std::uint32_t HybridClock::NextNonce() {
  // Each clock of the node keeps to its residue class even when the 32 bits wrap: it starts over
  // before the last, incomplete stride. By then the timestamp has moved on.
  const std::uint64_t nonce = nonce_start_ + nonces_ * nonce_stride_;
  nonces_ = (nonces_ + 1) % ((std::uint64_t{1} << 32) / nonce_stride_);
  return static_cast<std::uint32_t>(nonce);
}

}  // namespace starling::base
