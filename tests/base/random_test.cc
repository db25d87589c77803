// Goal:   one seed, one sequence, on every machine; draws stay in range and reach all of it.
// Method: known answers from an independent program; counts over a fixed seed.
#include "base/random.h"

#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/test.h"

namespace starling::base {
namespace {

std::vector<std::uint64_t> Draws(std::uint64_t seed, int count) {
  Random random(seed);
  std::vector<std::uint64_t> draws;
  for (int i = 0; i < count; ++i) draws.push_back(random.Next());
  return draws;
}

// Whether `count` is within a fifth of `expected`: for a thousand and more that is six deviations.
bool Near(int count, int expected) { return std::abs(count - expected) < expected / 5; }

TEST_SUITE("base/random") {
  TEST_CASE("SplitMix64 and xoshiro256** give their known answers") {
    EXPECT(Mix64(0) == 0xe220a8397b1dcdaf);
    EXPECT(Mix64(0x9e3779b97f4a7c15) == 0x6e789e6aa1b965f4);
    EXPECT(Draws(1, 4) == std::vector<std::uint64_t>{0xc5883e370b0926c3, 0x021b74b80f71f81c,
                                                     0x268df06749e5c8ce, 0xe052757d667afef2});
  }

  TEST_CASE("another seed is another sequence") {
    EXPECT(Draws(7, 100) == Draws(7, 100));
    EXPECT(Draws(7, 1) != Draws(8, 1));
    EXPECT(Draws(0, 2) != std::vector<std::uint64_t>{0, 0});
  }

  TEST_CASE("law: draws stay within their bounds, both ends of Between included") {
    EXPECT(rc::check([](std::uint64_t seed) {
      Random random(seed);
      const std::uint64_t bound = 1 + (random.Next() >> random.Below(64)) / 2;
      const auto low = *rc::gen::inRange<std::int64_t>(-1000, 1000);
      const auto high = low + *rc::gen::inRange<std::int64_t>(0, 5);
      for (int i = 0; i < 100; ++i) {
        RC_ASSERT(random.Below(bound) < bound);
        const std::int64_t between = random.Between(low, high);
        RC_ASSERT(between >= low);
        RC_ASSERT(between <= high);
        const double unit = random.Unit();
        RC_ASSERT(unit >= 0);
        RC_ASSERT(unit < 1);
      }
    }));
  }

  TEST_CASE("each of a range is drawn about as often as the others") {
    Random random(3);
    std::map<std::uint64_t, int> below;
    std::map<std::int64_t, int> between;
    for (int i = 0; i < 10'000; ++i) {
      ++below[random.Below(10)];
      ++between[random.Between(-2, 2)];
    }
    REQUIRE(below.size() == 10);
    REQUIRE(between.size() == 5);
    for (const auto& [value, count] : below) EXPECT(Near(count, 1000));
    for (const auto& [value, count] : between) EXPECT(Near(count, 2000));
  }

  TEST_CASE("a range of one holds one") {
    Random random(3);
    EXPECT(random.Below(1) == 0);
    EXPECT(random.Between(-4, -4) == -4);
  }

  TEST_CASE("a chance of none never comes, of all always, and of a third every third time") {
    Random random(3);
    int third = 0;
    for (int i = 0; i < 9'000; ++i) {
      EXPECT(!random.Chance(0));
      EXPECT(random.Chance(1));
      third += random.Chance(1.0 / 3) ? 1 : 0;
    }
    EXPECT(Near(third, 3000));
  }

  TEST_CASE("a shuffle keeps what is there, and every order is as likely") {
    Random random(3);
    std::map<std::string, int> orders;
    for (int i = 0; i < 12'000; ++i) {
      std::string items = "abc";
      random.Shuffle(items);
      ++orders[items];
    }
    REQUIRE(orders.size() == 6);  // The orders of three: none lost, none made up.
    for (const auto& [order, count] : orders) {
      EXPECT(std::is_permutation(order.begin(), order.end(), "abc"));
      EXPECT(Near(count, 2000));
    }
    std::vector<int> none;
    random.Shuffle(none);
    EXPECT(none.empty());
  }
}

}  // namespace
}  // namespace starling::base
