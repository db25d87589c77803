// base/hybrid_clock.h: the clock that stamps writes: wall time where it can, order where it must.
//
// A hybrid logical clock (Kulkarni et al. 2014): 48 bits of wall milliseconds, 16 of counter. When
// the wall clock stands still or goes back, the counter goes on; when the counter is full it
// carries into the milliseconds. Unlike the paper's, it does not follow the stamps of others: a
// node with a fast clock must not be able to drag all others along (G8).
//
// So that a restart can't go back, no stamp exceeds a bound that is on disk already. The owner
// keeps that bound ahead:
//
//   if (clock.needs_reservation(wall_ms)) {         // Each turn or timer: cheap.
//     bound = clock.reserve_until(wall_ms);         // Write it, sync it, and only then:
//     clock.Reserved(bound);
//   }
//
// and after a restart calls SetFloor(bound on disk) before the first stamp. Each worker of a node
// has a clock of its own under the node's number: their timestamps may coincide, their nonces
// never do (worker w of n: nonce_start = random of this boot + w, nonce_stride = n).
//
// Thread:    confined to one thread.
// Read next: base/version.h.
#pragma once

#include <cstdint>
#include <optional>

#include "base/version.h"

namespace starling::base {

class HybridClock {
 public:
  // How far ahead of the clock the bound is reserved, and how near it may come before more is
  // asked for. Longer: fewer syncs, and a longer jump ahead of the clock after a crash.
  static constexpr std::int64_t kReserveAheadMs = 1000;
  static constexpr std::int64_t kReserveAgainMs = 500;

  // REQUIRES: node is not 0, nonce_stride is not 0.
  HybridClock(NodeNumber node, std::uint32_t nonce_start, std::uint32_t nonce_stride = 1);

  // The stamp of a new write: above all that Next gave before, and not behind `wall_ms`. nullopt:
  // it would exceed the reserved bound, and nothing has changed.
  std::optional<Version> Next(std::int64_t wall_ms);

  // The stamp of a write that `floor` supersedes: above floor's timestamp. It is Next's where
  // that is above and reserved; else the floor's timestamp plus one, which leaves this clock where
  // it is and needs no reservation, because the floor is on disk somewhere. A floor at the very end
  // of time gives its own timestamp again.
  Version NextAbove(Version floor, std::int64_t wall_ms);

  // At start: all stamps will be above `timestamp`, the bound found on disk.
  void SetFloor(std::uint64_t timestamp);

  // Is the bound so near that the next one should be written now?
  bool needs_reservation(std::int64_t wall_ms) const;
  // The bound to write: a timestamp kReserveAheadMs ahead. Never less than one asked for before
  // at the same or a lower `wall_ms`.
  std::uint64_t reserve_until(std::int64_t wall_ms) const;
  // `bound` is on disk and synced. A lower one than before changes nothing.
  void Reserved(std::uint64_t bound);

  std::uint64_t last() const { return last_; }  // The highest timestamp of Next, or the floor.
  std::uint64_t bound() const { return bound_; }

 private:
  std::uint64_t Candidate(std::int64_t wall_ms) const;  // What Next would give, bound or not.
  std::uint32_t NextNonce();

  const NodeNumber node_;
  const std::uint32_t nonce_start_;
  const std::uint32_t nonce_stride_;
  std::uint64_t nonces_ = 0;  // How many were given, modulo what the stride leaves us of 2^32.
  std::uint64_t last_ = 0;
  std::uint64_t bound_ = 0;
};

}  // namespace starling::base
