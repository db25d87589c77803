// Goal:   of any two claims about a host, all nodes hold the same one to be newer.
// Method: pairs by hand, and the laws of an order on drawn claims.
#include "gossip/member.h"

#include <rapidcheck.h>

#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

TEST_SUITE("gossip/member") {
  TEST_CASE("a higher generation is newer whatever was known before") {
    for (const Liveness old :
         {Liveness::kAlive, Liveness::kSuspect, Liveness::kDead, Liveness::kLeft}) {
      EXPECT(Supersedes(ClaimBy(2, Liveness::kAlive, 0, 2), ClaimBy(2, old, 99, 1)));
      EXPECT(!Supersedes(ClaimBy(2, old, 99, 1), ClaimBy(2, Liveness::kAlive, 0, 2)));
    }
  }

  TEST_CASE("within a generation only a higher incarnation clears an accusation") {
    EXPECT(!Supersedes(ClaimBy(2, Liveness::kAlive, 3), ClaimBy(2, Liveness::kSuspect, 3)));
    EXPECT(!Supersedes(ClaimBy(2, Liveness::kAlive, 3), ClaimBy(2, Liveness::kDead, 3)));
    EXPECT(Supersedes(ClaimBy(2, Liveness::kAlive, 4), ClaimBy(2, Liveness::kDead, 3)));
  }

  TEST_CASE("at one incarnation the worse state is newer") {
    EXPECT(Supersedes(ClaimBy(2, Liveness::kSuspect), ClaimBy(2, Liveness::kAlive)));
    EXPECT(Supersedes(ClaimBy(2, Liveness::kDead), ClaimBy(2, Liveness::kSuspect)));
    EXPECT(!Supersedes(ClaimBy(2, Liveness::kSuspect), ClaimBy(2, Liveness::kSuspect)));
  }

  TEST_CASE("who left its generation is not revived by any incarnation of it") {
    EXPECT(!Supersedes(ClaimBy(2, Liveness::kAlive, 100), ClaimBy(2, Liveness::kLeft, 1)));
    EXPECT(Supersedes(ClaimBy(2, Liveness::kLeft, 1), ClaimBy(2, Liveness::kAlive, 100)));
  }

  TEST_CASE("no generation is the last: each has a newer one, all round the circle") {
    const std::uint64_t half = kGenerations / 2;
    for (const std::uint64_t old : {std::uint64_t{0}, std::uint64_t{1}, half - 1, half, half + 1,
                                    kGenerations - 2, kGenerations - 1}) {
      const std::uint64_t next = NextGeneration(old);
      EXPECT(next < kGenerations);
      EXPECT(next != 0);
      EXPECT(IsNewerGeneration(next, old));
      EXPECT(!IsNewerGeneration(old, next));
      EXPECT(!IsNewerGeneration(old, old));
      EXPECT(Supersedes(ClaimBy(2, Liveness::kAlive, 0, next),
                        ClaimBy(2, Liveness::kLeft, ~std::uint32_t{0}, old)));
    }
    // What is more than half a turn ahead is behind.
    EXPECT(IsNewerGeneration(1, half + 2));
    EXPECT(IsNewerGeneration(half - 1, 1));
    EXPECT(IsNewerGeneration(half + 1, 1) != IsNewerGeneration(1, half + 1));
  }

  TEST_CASE("the order is total: antisymmetric and transitive") {
    const auto draw = [] {
      return ClaimBy(2, static_cast<Liveness>(*rc::gen::inRange(0, 4)),
                     *rc::gen::inRange<std::uint32_t>(0, 4),
                     *rc::gen::inRange<std::uint64_t>(0, 3));
    };
    EXPECT(rc::check([&] {
      const Claim a = draw(), b = draw(), c = draw();
      const bool same = a.generation == b.generation && a.incarnation == b.incarnation &&
                        a.liveness == b.liveness;
      RC_ASSERT(Supersedes(a, b) + Supersedes(b, a) == (same ? 0 : 1));
      RC_ASSERT(!(Supersedes(a, b) && Supersedes(b, c)) || Supersedes(a, c));
    }));
  }
}

}  // namespace
}  // namespace starling::gossip
