// Goal:   `held` and `never held` are said only where they are true; where it is not known,
//         `unknown` is.
// Method: the life of a key by hand, version by version; then random lives beside a full record.
#include "server/held_memory.h"

#include <rapidcheck.h>

#include <optional>
#include <set>
#include <vector>

#include "base/random.h"
#include "tests/test.h"

namespace starling::server {
namespace {

using Answer = HeldMemory::Answer;

constexpr base::KeyspaceId kRemembered = 1;
constexpr base::Token kToken = 0xabcd'0000'0000'0001;

// 0 is none.
base::Version KeptAt(std::uint64_t timestamp) {
  return timestamp == 0 ? base::Version{} : base::Version{timestamp, 1, 1};
}

// A memory in which the key went through `versions`, the first being there before.
HeldMemory After(const std::vector<std::uint64_t>& versions, std::size_t notes_max = 10) {
  HeldMemory memory(notes_max);
  for (std::size_t i = 1; i < versions.size(); ++i)
    memory.Note(kRemembered, kToken, KeptAt(versions[i - 1]), KeptAt(versions[i]));
  return memory;
}

Answer Ask(const HeldMemory& memory, std::uint64_t timestamp) {
  return memory.Ask(kRemembered, kToken, KeptAt(timestamp));
}

TEST_SUITE("server/held_memory") {
  TEST_CASE("of a key not written since the start nothing is known") {
    const HeldMemory memory(10);
    EXPECT(Ask(memory, 1) == Answer::kUnknown);
    EXPECT(Ask(memory, 100) == Answer::kUnknown);
  }

  TEST_CASE("above what was current when the record began, each version is known") {
    const HeldMemory memory = After({10, 20, 30});
    EXPECT(Ask(memory, 15) == Answer::kNeverHeld);
    EXPECT(Ask(memory, 20) == Answer::kHeld);
    EXPECT(Ask(memory, 25) == Answer::kNeverHeld);
  }

  TEST_CASE("what was current when the record began was held; of what is below nobody knows") {
    const HeldMemory memory = After({10, 20});
    EXPECT(Ask(memory, 10) == Answer::kHeld);
    EXPECT(Ask(memory, 9) == Answer::kUnknown);
  }

  TEST_CASE("a key that was absent has held nothing before") {
    HeldMemory memory(10);
    memory.Note(kRemembered, kToken, {}, KeptAt(20));
    EXPECT(Ask(memory, 1) == Answer::kNeverHeld);
    EXPECT(Ask(memory, 20) == Answer::kHeld);
  }

  TEST_CASE("versions of one moment differ by node and nonce") {
    HeldMemory memory(10);
    memory.Note(kRemembered, kToken, {10, 2, 5}, {20, 2, 5});
    memory.Note(kRemembered, kToken, {20, 2, 5}, {30, 1, 1});
    EXPECT(memory.Ask(kRemembered, kToken, {20, 2, 5}) == Answer::kHeld);
    EXPECT(memory.Ask(kRemembered, kToken, {20, 2, 4}) == Answer::kNeverHeld);
    EXPECT(memory.Ask(kRemembered, kToken, {20, 1, 5}) == Answer::kNeverHeld);
    EXPECT(memory.Ask(kRemembered, kToken, {10, 2, 6}) == Answer::kNeverHeld);
    EXPECT(memory.Ask(kRemembered, kToken, {10, 2, 4}) == Answer::kUnknown);
  }

  TEST_CASE("keys and keyspaces are told apart") {
    const HeldMemory memory = After({10, 20, 30});
    EXPECT(memory.Ask(kRemembered + 1, kToken, KeptAt(20)) == Answer::kUnknown);
    EXPECT(memory.Ask(kRemembered, kToken + 1, KeptAt(20)) == Answer::kUnknown);
  }
}

TEST_SUITE("server/held_memory: what is not known any more") {
  TEST_CASE("after a restart all is unknown, until the key is written again") {
    REQUIRE(Ask(After({10, 20, 30}), 25) == Answer::kNeverHeld);
    HeldMemory memory(10);
    EXPECT(Ask(memory, 20) == Answer::kUnknown);
    EXPECT(Ask(memory, 25) == Answer::kUnknown);
    memory.Note(kRemembered, kToken, KeptAt(30), KeptAt(40));
    EXPECT(Ask(memory, 25) == Answer::kUnknown);  // Before the restart: who knows.
    EXPECT(Ask(memory, 35) == Answer::kNeverHeld);
  }

  TEST_CASE("what was stamped before the range was ours is not ours to deny, but what we held is") {
    HeldMemory memory = After({10, 20, 30, 40});
    memory.RaiseFloor(25);
    EXPECT(Ask(memory, 15) == Answer::kUnknown);
    EXPECT(Ask(memory, 25) == Answer::kUnknown);
    EXPECT(Ask(memory, 26) == Answer::kNeverHeld);
    EXPECT(Ask(memory, 20) == Answer::kHeld);
    EXPECT(Ask(memory, 10) == Answer::kHeld);
    SUBCASE("and the floor never sinks") {
      memory.RaiseFloor(12);
      EXPECT(Ask(memory, 15) == Answer::kUnknown);
    }
    SUBCASE("also for keys written later") {
      memory.Note(kRemembered, kToken + 1, {}, KeptAt(50));
      EXPECT(memory.Ask(kRemembered, kToken + 1, KeptAt(25)) == Answer::kUnknown);
      EXPECT(memory.Ask(kRemembered, kToken + 1, KeptAt(26)) == Answer::kNeverHeld);
    }
  }

  TEST_CASE("the oldest note gives way when there are too many, and only that one") {
    HeldMemory memory(4);
    for (const base::Token token : {1, 2, 3}) {
      memory.Note(kRemembered, token, KeptAt(10), KeptAt(20));
      memory.Note(kRemembered, token, KeptAt(20), KeptAt(30));
    }
    EXPECT(memory.size() == 4);
    EXPECT(memory.Ask(kRemembered, 1, KeptAt(25)) == Answer::kUnknown);
    EXPECT(memory.Ask(kRemembered, 2, KeptAt(15)) == Answer::kNeverHeld);
    EXPECT(memory.Ask(kRemembered, 3, KeptAt(25)) == Answer::kNeverHeld);
    memory.Note(kRemembered, 1, KeptAt(30), KeptAt(40));  // Back, and known from now on.
    EXPECT(memory.Ask(kRemembered, 1, KeptAt(25)) == Answer::kUnknown);
    EXPECT(memory.Ask(kRemembered, 1, KeptAt(35)) == Answer::kNeverHeld);
    EXPECT(memory.Ask(kRemembered, 2, KeptAt(15)) == Answer::kUnknown);
    EXPECT(memory.Ask(kRemembered, 2, KeptAt(20)) == Answer::kHeld);
    EXPECT(memory.Ask(kRemembered, 2, KeptAt(25)) == Answer::kNeverHeld);
  }

  TEST_CASE("behind many notes of keys of the same chain a key is not known, nor told wrongly") {
    int known = 0;
    int unknown = 0;
    for (base::Token other = 0; other < 2000; ++other) {  // One in 128 is in the key's chain.
      HeldMemory memory(400);
      memory.Note(kRemembered, kToken, KeptAt(10), KeptAt(20));
      for (std::uint64_t i = 1; i < 100; ++i)
        memory.Note(kRemembered, other, KeptAt(i), KeptAt(i + 1));
      const Answer answer = Ask(memory, 15);
      known += answer == Answer::kNeverHeld;
      unknown += answer == Answer::kUnknown;
    }
    EXPECT(known + unknown == 2000);
    EXPECT(known > 1900);
    EXPECT(unknown > 0);
  }

  TEST_CASE("of many versions of a key the eight newest are told apart, the others unknown") {
    HeldMemory memory = After({0, 10, 20, 30, 40, 50, 60, 70, 80});
    EXPECT(Ask(memory, 5) == Answer::kNeverHeld);
    memory.Note(kRemembered, kToken, KeptAt(80), KeptAt(90));  // 10 is the base now.
    EXPECT(Ask(memory, 5) == Answer::kUnknown);
    EXPECT(Ask(memory, 10) == Answer::kHeld);
    EXPECT(Ask(memory, 15) == Answer::kNeverHeld);
    EXPECT(Ask(memory, 20) == Answer::kHeld);
  }

  TEST_CASE("what repair brings pushes nothing out, and is known where the key is") {
    HeldMemory memory(2);
    memory.Note(kRemembered, kToken, KeptAt(10), KeptAt(20));
    for (base::Token token = 1; token < 100; ++token)
      memory.NotePulled(kRemembered, token, KeptAt(30));
    EXPECT(memory.size() == 1);
    memory.NotePulled(kRemembered, kToken, KeptAt(30));
    memory.Note(kRemembered, kToken, KeptAt(30), KeptAt(40));
    EXPECT(Ask(memory, 30) == Answer::kHeld);
    EXPECT(Ask(memory, 25) == Answer::kNeverHeld);
  }

  TEST_CASE("law: what is said is true, over any life with restarts, evictions and new ranges") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      constexpr std::uint64_t kKeys = 4;
      std::optional<HeldMemory> memory(1 + random.Below(kKeys));
      std::vector<std::set<std::uint64_t>> held(kKeys);  // All of it, for ever.
      std::vector<std::uint64_t> current(kKeys);
      for (int step = 0; step < 300; ++step) {
        const std::uint64_t key = random.Below(kKeys);
        if (random.Chance(0.01)) memory.emplace(1 + random.Below(kKeys));
        if (random.Chance(0.01)) memory->RaiseFloor(current[key]);
        if (random.Chance(0.4)) {
          const std::uint64_t next = current[key] + 1 + random.Below(4);
          if (random.Chance(0.3))
            memory->NotePulled(kRemembered, key, KeptAt(next));
          else
            memory->Note(kRemembered, key, KeptAt(current[key]), KeptAt(next));
          held[key].insert(current[key] = next);
          continue;
        }
        if (current[key] < 2) continue;
        const std::uint64_t asked = 1 + random.Below(current[key] - 1);
        const Answer answer = memory->Ask(kRemembered, key, KeptAt(asked));
        if (answer != Answer::kUnknown)
          RC_ASSERT((answer == Answer::kHeld) == held[key].contains(asked));
      }
    }));
  }
}

}  // namespace
}  // namespace starling::server
