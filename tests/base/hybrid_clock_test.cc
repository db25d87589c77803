// Goal:   stamps only rise, stay within what is reserved on disk, and never coincide in a node.
// Method: drive clocks by hand and by random histories whose wall clock jumps both ways.
#include "base/hybrid_clock.h"

#include <rapidcheck.h>

#include <set>
#include <vector>

#include "base/random.h"
#include "tests/test.h"

namespace starling::base {
namespace {

constexpr std::int64_t kNow = 1'764'000'000'000;

std::uint64_t Timestamp(std::int64_t ms, std::uint64_t counter = 0) {
  return static_cast<std::uint64_t>(ms) << 16 | counter;
}

// A clock that may stamp without end.
HybridClock FreeClock(std::uint32_t nonce_start = 100, std::uint32_t nonce_stride = 1) {
  HybridClock clock(1, nonce_start, nonce_stride);
  clock.Reserved(UINT64_MAX);
  return clock;
}

TEST_SUITE("base/hybrid_clock") {
  TEST_CASE("the first stamp of a millisecond is its wall time, the next ones count") {
    HybridClock clock = FreeClock();
    EXPECT(clock.Next(kNow)->timestamp == Timestamp(kNow));
    EXPECT(clock.Next(kNow)->timestamp == Timestamp(kNow, 1));
    EXPECT(clock.Next(kNow + 1)->timestamp == Timestamp(kNow + 1));
  }

  TEST_CASE("a wall clock that goes back does not take the stamps along") {
    HybridClock clock = FreeClock();
    clock.Next(kNow);
    EXPECT(clock.Next(kNow - 60'000)->timestamp == Timestamp(kNow, 1));
    EXPECT(clock.Next(-5)->timestamp == Timestamp(kNow, 2));
  }

  TEST_CASE("a full counter carries into the milliseconds") {
    HybridClock clock = FreeClock();
    clock.SetFloor(Timestamp(kNow, 0xffff));
    EXPECT(clock.Next(kNow)->timestamp == Timestamp(kNow + 1));
  }

  TEST_CASE("nothing is stamped before a bound is reserved, nor above it") {
    HybridClock clock(1, 0);
    EXPECT(!clock.Next(kNow).has_value());
    EXPECT(clock.needs_reservation(kNow));
    const std::uint64_t bound = clock.reserve_until(kNow);
    EXPECT(bound == Timestamp(kNow + HybridClock::kReserveAheadMs));
    clock.Reserved(bound);
    EXPECT(clock.Next(kNow).has_value());
    EXPECT(clock.Next(kNow + HybridClock::kReserveAheadMs)->timestamp == bound);
    EXPECT(!clock.Next(kNow).has_value());
    EXPECT(clock.last() == bound);
  }

  TEST_CASE("a new bound is asked for while the old one still has room") {
    HybridClock clock(1, 0);
    clock.Reserved(clock.reserve_until(kNow));
    EXPECT(!clock.needs_reservation(kNow));
    EXPECT(!clock.needs_reservation(kNow + 500));
    EXPECT(clock.needs_reservation(kNow + 501));
    EXPECT(clock.Next(kNow + 501).has_value());
  }

  TEST_CASE("a lower bound than the one there changes nothing") {
    HybridClock clock(1, 0);
    clock.Reserved(Timestamp(kNow + 1000));
    clock.Reserved(Timestamp(kNow));
    EXPECT(clock.bound() == Timestamp(kNow + 1000));
    EXPECT(clock.reserve_until(kNow - 5000) == Timestamp(kNow + 1000));
  }

  TEST_CASE("after a restart all stamps are above the bound of the boot before") {
    HybridClock before(1, 0);
    const std::uint64_t bound = before.reserve_until(kNow);
    before.Reserved(bound);
    HybridClock after(1, 7);
    after.SetFloor(bound);
    const std::int64_t wall_went_back = kNow - 3'600'000;
    after.Reserved(after.reserve_until(wall_went_back));
    EXPECT(after.Next(wall_went_back)->timestamp > bound);
  }

  TEST_CASE("a re-stamp lies above what superseded it") {
    HybridClock clock = FreeClock();
    SUBCASE("held by a faster clock: plus one, and ours stays where it is") {
      const Version held{Timestamp(kNow + 400, 3), 2, 9};
      const Version again = clock.NextAbove(held, kNow);
      EXPECT(again.timestamp == held.timestamp + 1);
      EXPECT(again.node == 1);
      EXPECT(clock.Next(kNow)->timestamp == Timestamp(kNow));
    }
    SUBCASE("held by a slower clock: our own next stamp") {
      const Version held{Timestamp(kNow - 400), 2, 9};
      EXPECT(clock.NextAbove(held, kNow).timestamp == Timestamp(kNow));
      EXPECT(clock.Next(kNow)->timestamp == Timestamp(kNow, 1));
    }
    SUBCASE("without a reservation it still works, and takes nothing from the clock") {
      HybridClock unreserved(1, 0);
      const Version held{Timestamp(kNow - 400), 2, 9};
      EXPECT(unreserved.NextAbove(held, kNow).timestamp == held.timestamp + 1);
      EXPECT(unreserved.last() == 0);
    }
    SUBCASE("at the end of time it does not wrap") {
      const Version held{UINT64_MAX, 2, 9};
      EXPECT(clock.NextAbove(held, kNow).timestamp == UINT64_MAX);
      EXPECT(clock.last() == 0);
    }
  }

  TEST_CASE("a wall clock beyond 48 bits is cut, and the end of time stamps nothing") {
    HybridClock clock = FreeClock();
    EXPECT(clock.Next(INT64_MAX)->wall_ms() == (std::int64_t{1} << 48) - 1);
    clock.SetFloor(UINT64_MAX);
    EXPECT(!clock.Next(kNow).has_value());
  }

  TEST_CASE("nonces of a node's clocks never coincide, across the wrap of 32 bits too") {
    constexpr std::uint32_t kWorkers = 3;
    const std::uint32_t start = UINT32_MAX - 10;  // So that the very first ones wrap.
    std::set<std::uint32_t> nonces;
    for (std::uint32_t worker = 0; worker < kWorkers; ++worker) {
      HybridClock clock = FreeClock(start + worker, kWorkers);
      for (int i = 0; i < 100; ++i) nonces.insert(clock.Next(kNow)->nonce);
    }
    EXPECT(nonces.size() == kWorkers * 100);
  }

  TEST_CASE("law: Next only rises, never leaves the bound, and all versions are distinct") {
    EXPECT(rc::check([](std::uint64_t seed) {
      Random random(seed);
      HybridClock clock(3, static_cast<std::uint32_t>(random.Next()), 2);
      std::int64_t wall_ms = kNow;
      std::uint64_t last = 0, reserved = 0;
      std::set<Version> versions;
      Version held;
      for (int step = 0; step < 400; ++step) {
        wall_ms += random.Between(-300, 320);
        if (clock.needs_reservation(wall_ms) && random.Chance(0.5)) {
          reserved = clock.reserve_until(wall_ms);
          clock.Reserved(reserved);
        }
        if (random.Chance(0.3)) {
          held = {Timestamp(wall_ms + random.Between(-500, 500), random.Below(9)), 9, 9};
          const Version again = clock.NextAbove(held, wall_ms);
          RC_ASSERT(again.timestamp > held.timestamp);
          RC_ASSERT(versions.insert(again).second);
        } else if (const auto next = clock.Next(wall_ms)) {
          RC_ASSERT(next->timestamp > last);
          RC_ASSERT(next->wall_ms() >= wall_ms);
          RC_ASSERT(versions.insert(*next).second);
        }
        RC_ASSERT(clock.last() >= last);
        RC_ASSERT(clock.last() <= reserved);
        last = clock.last();
      }
    }));
  }
}

}  // namespace
}  // namespace starling::base
