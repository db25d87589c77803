// Goal:   whatever pieces come, in whatever order, twice, cut short or of another version, what is
//         whole is what was announced, and nothing else.
// Method: random courses of asking and answering in which answers are lost, delayed, repeated and
//         of two versions; and pieces by hand.
#include "server/value_pieces.h"

#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/test.h"

namespace starling::server {
namespace {

constexpr base::Version kAnnounced{10, 1, 1}, kLater{20, 1, 1};

struct Piece {
  base::Version version;
  std::uint32_t offset = 0;
  std::string bytes;
};

TEST_SUITE("server/value_pieces") {
  TEST_CASE("law: whatever is lost, repeated, late, or of another version, none of it is mixed") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      const auto size = static_cast<std::uint32_t>(1 + random.Below(500));
      std::string announced, later;
      for (std::uint32_t i = 0; i < size; ++i) {
        announced.push_back(static_cast<char>('a' + random.Below(26)));
        later.push_back(static_cast<char>('A' + random.Below(26)));
      }
      ValuePieces pieces(kAnnounced, size);
      pieces.Open();
      std::vector<Piece> on_their_way;
      std::uint32_t had = 0;
      int asked = 0;
      for (; !pieces.whole() && asked < 20'000; ++asked) {
        // What is asked for now, and something of any other place or version.
        const std::uint32_t anywhere = static_cast<std::uint32_t>(random.Below(size));
        const std::uint32_t offset = random.Chance(0.7) ? pieces.next() : anywhere;
        const auto length = static_cast<std::uint32_t>(random.Below(64));
        on_their_way.push_back({kAnnounced, offset, announced.substr(offset, length)});
        if (random.Chance(0.5))
          on_their_way.push_back(on_their_way[random.Below(on_their_way.size())]);
        if (random.Chance(0.5))
          on_their_way.push_back({kLater, offset, later.substr(offset, length)});
        random.Shuffle(on_their_way);
        while (!on_their_way.empty() && random.Chance(0.7)) {
          const Piece piece = std::move(on_their_way.back());
          on_their_way.pop_back();
          if (random.Chance(0.3)) continue;  // Lost.
          const bool next = piece.version == kAnnounced && piece.offset == had &&
                            !piece.bytes.empty() && !pieces.whole();
          RC_ASSERT(pieces.Add(piece.version, piece.offset, piece.bytes) == next);
          if (next) had += static_cast<std::uint32_t>(piece.bytes.size());
          RC_ASSERT(pieces.next() == had);
          RC_ASSERT(pieces.value() == base::Bytes(announced).substr(0, had));
        }
      }
      RC_ASSERT(pieces.whole());
      RC_ASSERT(pieces.value() == announced);
    }));
  }

  TEST_CASE("more than was announced is not taken, not even in part") {
    ValuePieces pieces(kAnnounced, 5);
    EXPECT(pieces.Add(kAnnounced, 0, "abc"));
    EXPECT(!pieces.Add(kAnnounced, 3, "def"));
    EXPECT(!pieces.Add(kAnnounced, 3, ""));
    EXPECT(!pieces.whole());
    EXPECT(pieces.Add(kAnnounced, 3, "de"));
    EXPECT(pieces.whole());
    EXPECT(!pieces.Add(kAnnounced, 5, "f"));
    EXPECT(pieces.value() == "abcde");
  }
}

}  // namespace
}  // namespace starling::server
