// Goal:   what is kept in an arena stays as it was until Reset; then the room is used again.
// Method: cases around the sizes of its blocks; random sizes, all of whose bytes are read back.
#include "server/arena.h"

#include <rapidcheck.h>

#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/test.h"

namespace starling::server {
namespace {

// Sizes of all magnitudes up to half a megabyte: small ones, and those that get a block of their
// own.
std::size_t DrawSize(base::Random& random) { return random.Next() >> (45 + random.Below(19)); }

TEST_SUITE("server/arena") {
  TEST_CASE("a copy is of its own, and of nothing is empty") {
    Arena arena;
    std::string original = "value";
    const base::Bytes copy = arena.Copy(original);
    original = "other";
    EXPECT(copy == "value");
    EXPECT(arena.Copy("").empty());
  }

  TEST_CASE("room for no bytes is where the next byte goes, in a new arena and after a Reset") {
    Arena arena;
    for (int turn = 0; turn < 2; ++turn) {
      const char* const nothing = arena.Room(0);
      EXPECT(arena.Room(1) == nothing);
      arena.Reset();
    }
  }

  TEST_CASE("a block that is exactly full is not overrun") {
    Arena arena;
    constexpr std::size_t kQuarter = 64 * 1024;  // The most that goes into a shared block.
    std::vector<base::Bytes> copies;
    for (char c = 'a'; c <= 'i'; ++c) copies.push_back(arena.Copy(std::string(kQuarter, c)));
    for (std::size_t i = 0; i < copies.size(); ++i)
      EXPECT(copies[i] == std::string(kQuarter, static_cast<char>('a' + i)));
    EXPECT(copies[1].data() == copies[0].data() + kQuarter);
  }

  TEST_CASE("law: whatever is put in, in any sizes, stays as it was until Reset") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      Arena arena;
      for (int turn = 0; turn < 3; ++turn) {
        std::vector<std::pair<std::string, base::Bytes>> kept;
        for (std::uint64_t i = random.Below(30); i > 0; --i) {
          std::string bytes(DrawSize(random), static_cast<char>(random.Next()));
          const base::Bytes copy = arena.Copy(bytes);
          kept.emplace_back(std::move(bytes), copy);
        }
        for (const auto& [bytes, copy] : kept) RC_ASSERT(copy == bytes);
        arena.Reset();
      }
    }));
  }

  TEST_CASE("a busy turn after another takes no new memory") {
    Arena arena;
    const auto run_turn = [&] {
      std::set<const char*> rooms;
      for (int i = 0; i < 1000; ++i) rooms.insert(arena.Room(1000));
      arena.Reset();
      return rooms;
    };
    EXPECT(run_turn() == run_turn());
  }
}

}  // namespace
}  // namespace starling::server
