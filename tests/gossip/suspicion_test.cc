// Goal:   a verdict needs witnesses of two racks, and its time follows the written formulas.
// Method: tables of figures, computed by hand.
#include "gossip/suspicion.h"

#include "tests/test.h"

namespace starling::gossip {
namespace {

Accusers Of(std::initializer_list<Accuser> all) {
  Accusers accusers;
  for (const Accuser& accuser : all) accusers.Add(accuser);
  return accusers;
}

std::int64_t TimeoutMs(Mode mode, std::size_t members, std::size_t accusers) {
  return base::ToMs(SuspicionTimeout({.mode = mode}, members, accusers));
}

TEST_SUITE("gossip/suspicion") {
  TEST_CASE("an accuser counts once, and three are enough") {
    Accusers accusers;
    EXPECT(accusers.Add({1, 7}));
    EXPECT(!accusers.Add({1, 7}));
    EXPECT(accusers.Add({2, 8}));
    EXPECT(accusers.Add({3, 7}));
    EXPECT(!accusers.Add({4, 9}));
    EXPECT(accusers.size() == 3);
    EXPECT(accusers.domains() == 2);
  }

  TEST_CASE("of three from one rack the last makes way for one from another") {
    Accusers accusers = Of({{1, 7}, {2, 7}, {3, 7}});
    EXPECT(!accusers.Add({4, 7}));
    EXPECT(accusers.Add({5, 8}));
    EXPECT(accusers.size() == 3);
    EXPECT(accusers.domains() == 2);
    EXPECT(!accusers.Contains(3));
  }

  TEST_CASE("confirmed is what three say, from two racks where there are two") {
    EXPECT(!Confirmed(Of({{1, 7}, {2, 8}}), {.hosts = 9, .domains = 3}));
    EXPECT(Confirmed(Of({{1, 7}, {2, 8}, {3, 7}}), {.hosts = 9, .domains = 3}));
    EXPECT(!Confirmed(Of({{1, 7}, {2, 7}, {3, 7}}), {.hosts = 9, .domains = 2}));
    EXPECT(Confirmed(Of({{1, 7}, {2, 7}, {3, 7}}), {.hosts = 9, .domains = 1}));
  }

  TEST_CASE("where fewer than three could accuse, all of them must, and never nobody") {
    EXPECT(!Confirmed(Of({{1, 7}}), {.hosts = 2, .domains = 1}));
    EXPECT(Confirmed(Of({{1, 7}, {2, 7}}), {.hosts = 2, .domains = 1}));
    EXPECT(Confirmed(Of({{1, 7}}), {.hosts = 1, .domains = 1}));
    EXPECT(!Confirmed({}, {.hosts = 0, .domains = 0}));
  }

  TEST_CASE("log10 in thousandths, rounded down") {
    EXPECT(MilliLog10(1) == 0);
    EXPECT(MilliLog10(2) == 301);
    EXPECT(MilliLog10(7) == 845);
    EXPECT(MilliLog10(50) == 1698);
    EXPECT(MilliLog10(9999) == 3999);
    EXPECT(MilliLog10(~0ULL) == 19265);
    // Of powers of ten the fraction may end just below.
    EXPECT(MilliLog10(1000) >= 2999);
    EXPECT(MilliLog10(1000) <= 3000);
  }

  TEST_CASE("swim: four intervals times log10 N, whoever accuses") {
    EXPECT(TimeoutMs(Mode::kSwim, 7, 1) == 4000);
    EXPECT(TimeoutMs(Mode::kSwim, 7, 3) == 4000);
    EXPECT(TimeoutMs(Mode::kSwim, 50, 1) == 6792);
  }

  // memberlist's remaining(n) = max - (max - min) * ln(n+1) / ln(K+1) with K = 2.
  TEST_CASE("lifeguard: six times as long with one accuser, down to swim's with three") {
    EXPECT(TimeoutMs(Mode::kLifeguard, 7, 1) == 24000);
    EXPECT(TimeoutMs(Mode::kLifeguard, 7, 2) == 11400);  // 24 - 20 * 0.630
    EXPECT(TimeoutMs(Mode::kLifeguard, 7, 3) == 4000);
    EXPECT(TimeoutMs(Mode::kLifeguard, 3, 1) == 4000);  // Nobody is there to come.
  }

  TEST_CASE("starling: the same at any size of the cluster") {
    for (const std::size_t members : {2, 100, 10000}) {
      EXPECT(TimeoutMs(Mode::kStarling, members, 1) == 12000);
      EXPECT(TimeoutMs(Mode::kStarling, members, 2) == 6960);
      EXPECT(TimeoutMs(Mode::kStarling, members, 3) == 4000);
      EXPECT(TimeoutMs(Mode::kStarling, members, 9) == 4000);
    }
  }

  TEST_CASE("a silent member is dead after its turn comes, a probe fails, and it did not refute") {
    EXPECT(base::ToMs(SilenceToDead({})) == 1000 + 3 * 300 + 4000);
  }
}

}  // namespace
}  // namespace starling::gossip
