// Goal:   the checker accepts every history that a register can have, and no other.
// Method: small histories by hand, each with its flaw by name; random ones made from a register
//         that takes effect at drawn instants, which must pass, and with one read spoilt.
#include "tests/sim/linearizability.h"

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "tests/test.h"

namespace starling::sim {
namespace {

using Kind = Operation::Kind;
using History = std::vector<Operation>;

base::Instant At(int ms) { return {base::milliseconds(ms)}; }

Operation Put(std::uint64_t value, int from, int to) {
  return {.kind = Kind::kPut, .value = value, .invoked = At(from), .returned = At(to)};
}
Operation Get(std::uint64_t value, int from, int to) {
  return {.kind = Kind::kGet, .value = value, .invoked = At(from), .returned = At(to)};
}
Operation Delete(int from, int to) {
  return {.kind = Kind::kDelete, .invoked = At(from), .returned = At(to)};
}
Operation Unknown(Operation operation) {
  operation.returned = base::Instant::Never();
  return operation;
}

bool Fits(const History& history) { return !CheckLinearizable(history).has_value(); }

// Clients of one register: each operation takes effect at a drawn instant of its own, or never if
// its outcome is unknown.
History RandomHistory(std::uint64_t seed, int operations) {
  base::Random random(seed);
  struct Effect {
    int when;
    std::size_t operation;
  };
  History history;
  std::vector<Effect> effects;
  std::vector<int> free_from(6, 0);
  for (int i = 0; i < operations; ++i) {
    const auto client = static_cast<std::uint32_t>(random.Below(free_from.size()));
    const int from = free_from[client] + static_cast<int>(random.Below(20));
    const int to = from + 1 + static_cast<int>(random.Below(60));
    int effect = static_cast<int>(random.Between(from, to));
    free_from[client] = to + 1;
    const double kind = random.Unit();
    Operation operation = kind < 0.5   ? Get(0, from, to)
                          : kind < 0.9 ? Put(static_cast<std::uint64_t>(i) + 1, from, to)
                                       : Delete(from, to);
    operation.client = client;
    if (operation.kind != Kind::kGet && random.Chance(0.1)) {
      operation = Unknown(operation);
      effect = random.Chance(0.5) ? effect + static_cast<int>(random.Below(500)) : 1'000'000;
    }
    history.push_back(operation);
    effects.push_back({effect, history.size() - 1});
  }
  std::stable_sort(effects.begin(), effects.end(),
                   [](const Effect& a, const Effect& b) { return a.when < b.when; });
  std::uint64_t held = 0;
  for (const Effect& effect : effects) {
    Operation& operation = history[effect.operation];
    if (operation.kind == Kind::kGet) operation.value = held;
    if (operation.kind == Kind::kPut) held = operation.value;
    if (operation.kind == Kind::kDelete) held = 0;
  }
  return history;
}

TEST_SUITE("sim/linearizability") {
  TEST_CASE("an empty history, and reads of a key that nobody wrote, are fine") {
    EXPECT(Fits({}));
    EXPECT(Fits({Get(0, 0, 1), Get(0, 2, 3)}));
  }

  TEST_CASE("one after another, a read returns the last write") {
    EXPECT(Fits(
        {Put(1, 0, 1), Get(1, 2, 3), Put(2, 4, 5), Get(2, 6, 7), Delete(8, 9), Get(0, 10, 11)}));
  }

  TEST_CASE("a read beside a write may return the old value or the new one") {
    EXPECT(Fits({Put(1, 0, 1), Put(2, 2, 10), Get(1, 3, 4), Get(2, 5, 6)}));
    EXPECT(Fits({Put(1, 0, 1), Put(2, 2, 10), Get(2, 3, 4), Get(2, 5, 6)}));
  }

  TEST_CASE("writes beside each other may be in any order, but in one") {
    EXPECT(Fits({Put(1, 0, 10), Put(2, 0, 10), Get(1, 11, 12), Get(1, 13, 14)}));
    EXPECT(Fits({Put(1, 0, 10), Put(2, 0, 10), Get(2, 11, 12)}));
    EXPECT(!Fits({Put(1, 0, 10), Put(2, 0, 10), Get(1, 11, 12), Get(2, 13, 14)}));
  }

  TEST_CASE("the order of operations in the span does not matter") {
    EXPECT(Fits({Get(2, 6, 7), Put(2, 4, 5), Get(1, 2, 3), Put(1, 0, 1)}));
  }

  TEST_CASE("a lost write is found") {
    EXPECT(!Fits({Put(1, 0, 1), Get(0, 2, 3)}));
    EXPECT(!Fits({Put(1, 0, 1), Put(2, 2, 3), Get(1, 4, 5)}));
  }

  TEST_CASE("a stale read is found") {
    EXPECT(!Fits({Put(1, 0, 1), Put(2, 2, 3), Get(2, 4, 5), Get(1, 6, 7)}));
  }

  TEST_CASE("reads that go backwards beside one write are found") {
    EXPECT(!Fits({Put(1, 0, 1), Put(2, 2, 20), Get(2, 3, 4), Get(1, 5, 6)}));
  }

  TEST_CASE("a value from nowhere is found, and the text says so") {
    const auto violation = CheckLinearizable(History{Put(1, 0, 1), Get(7, 2, 3)});
    REQUIRE(violation.has_value());
    EXPECT(violation->text.find("7 was returned, and not written before") != std::string::npos);
  }

  TEST_CASE("a value read before it was written is found") {
    EXPECT(!Fits({Get(1, 0, 1), Put(1, 2, 3)}));
  }

  TEST_CASE("a deleted value that comes back is found") {
    EXPECT(!Fits({Put(1, 0, 1), Delete(2, 3), Get(0, 4, 5), Get(1, 6, 7)}));
    EXPECT(!Fits({Put(1, 0, 1), Delete(2, 3), Get(1, 6, 7)}));
  }

  TEST_CASE("a write of unknown outcome may take effect never, at once or much later") {
    const Operation unknown = Unknown(Put(9, 2, 0));
    EXPECT(Fits({Put(1, 0, 1), unknown, Get(1, 3, 4)}));
    EXPECT(Fits({Put(1, 0, 1), unknown, Get(9, 3, 4)}));
    EXPECT(Fits({Put(1, 0, 1), unknown, Get(1, 3, 4), Put(2, 5, 6), Get(2, 7, 8), Get(9, 9, 10)}));
  }

  TEST_CASE("a write of unknown outcome does not take effect before it was sent") {
    EXPECT(!Fits({Get(9, 0, 1), Unknown(Put(9, 2, 0))}));
  }

  TEST_CASE("a write of unknown outcome takes effect once") {
    EXPECT(!Fits({Unknown(Put(9, 0, 0)), Get(9, 1, 2), Put(2, 3, 4), Get(2, 5, 6), Get(9, 7, 8)}));
  }

  TEST_CASE("a delete of unknown outcome may hide a value once") {
    EXPECT(Fits({Put(1, 0, 1), Unknown(Delete(2, 0)), Get(1, 3, 4), Get(0, 5, 6)}));
    EXPECT(!Fits({Put(1, 0, 1), Unknown(Delete(2, 0)), Get(0, 3, 4), Get(1, 5, 6)}));
    EXPECT(!Fits({Put(1, 0, 1), Unknown(Delete(2, 0)), Get(0, 3, 4), Put(2, 5, 6), Get(0, 7, 8)}));
  }

  TEST_CASE("a read without an answer says nothing") {
    EXPECT(Fits({Put(1, 0, 1), Unknown(Get(77, 2, 0)), Get(1, 3, 4)}));
  }

  TEST_CASE("an instant that is end and beginning at once is beside, not after") {
    EXPECT(Fits({Put(1, 0, 5), Get(0, 5, 6)}));
    EXPECT(!Fits({Put(1, 0, 5), Get(0, 6, 7)}));
  }

  TEST_CASE("whatever a register does is accepted") {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
      DOCTEST_INFO("seed ", seed);
      EXPECT(Fits(RandomHistory(seed, 300)));
    }
  }

  TEST_CASE("a read spoilt with a value that was overwritten long before is found, in few lines") {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
      DOCTEST_INFO("seed ", seed);
      History history = RandomHistory(seed, 200);
      // The last read returns a value that an acknowledged write of long ago put, with other
      // acknowledged writes altogether between them.
      const auto last = std::max_element(history.begin(), history.end(), [](auto& a, auto& b) {
        return a.kind != Kind::kGet || (b.kind == Kind::kGet && a.invoked < b.invoked);
      });
      const auto old = std::find_if(history.begin(), history.end(), [](const Operation& o) {
        return o.kind == Kind::kPut && !o.open();
      });
      REQUIRE(last->kind == Kind::kGet);
      last->value = old->value;
      const auto violation = CheckLinearizable(history);
      REQUIRE(violation.has_value());
      EXPECT(!violation->undecided);
      EXPECT(violation->window.size() <= 6);
      EXPECT(CheckLinearizable(violation->window).has_value());
    }
  }

  TEST_CASE("many writes at once of unknown outcome do not make the search explode") {
    History history;
    for (int i = 0; i < 60; ++i)
      history.push_back(Unknown(Put(static_cast<std::uint64_t>(i) + 1, i, 0)));
    for (int i = 0; i < 30; ++i)
      history.push_back(Get(static_cast<std::uint64_t>(2 * i) + 1, 100 + 2 * i, 101 + 2 * i));
    EXPECT(Fits(history));
    history.push_back(Get(1, 300, 301));
    EXPECT(!Fits(history));
  }
}

}  // namespace
}  // namespace starling::sim
