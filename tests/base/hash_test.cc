// Goal:   the hash is XXH3 and stays XXH3: tokens, digests and checksums are on disks and wires.
// Method: xxHash's published answers, one for each of its code paths; laws of seeds and views.
#include "base/hash.h"

#include <rapidcheck.h>

#include <string>

#include "tests/test.h"

namespace starling::base {
namespace {

constexpr std::uint64_t kPrime64 = 0x9e3779b185ebca8d;

// The bytes over which xxHash publishes its answers: the top bytes of a product, one after another.
std::string SanityBytes(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint64_t generator = 2654435761;
  for (char& byte : bytes) {
    byte = static_cast<char>(generator >> 56);
    generator *= kPrime64;
  }
  return bytes;
}

TEST_SUITE("base/hash") {
  TEST_CASE("64 bits are XXH3's, with seed and without, for each length it treats apart") {
    const struct {
      std::size_t size;
      std::uint64_t unseeded, seeded;  // Seed 0, seed kPrime64.
    } answers[] = {
        {0, 0x2d06800538d394c2, 0xa8a6b918b2f0364a},
        {1, 0xc44bdff4074eecdb, 0x032be332dd766ef8},
        {6, 0x27b56a84cd2d7325, 0x84589c116ab59ab9},
        {12, 0xa713daf0dfbb77e7, 0xe7303e1b2336de0e},
        {24, 0xa3fe70bf9d3510eb, 0x850e80fc35bdd690},
        {48, 0x397da259ecba1f11, 0xadc2cbaa44acc616},
        {80, 0xbcdefbbb2c47c90a, 0xc6dd0cb699532e73},
        {195, 0xcd94217ee362ec3a, 0xba68003d370cb3d9},
        {403, 0xcdeb804d65c6dea4, 0x6259f6ecfd6443fd},
        {512, 0x617e49599013cb6b, 0x3ce457de14c27708},
        {2048, 0xdd59e2c3a5f038e0, 0x66f81670669ababc},
        {2240, 0x6e73a90539cf2948, 0x757ba8487d1b5247},
    };
    for (const auto& answer : answers) {
      const std::string bytes = SanityBytes(answer.size);
      EXPECT(Hash64(bytes) == answer.unseeded);
      EXPECT(Hash64(bytes, kPrime64) == answer.seeded);
    }
  }

  TEST_CASE("128 bits are XXH3's, each half in its place") {
    EXPECT(Hash128("") == Hash128Value{.low = 0x6001c324468d497f, .high = 0x99aa06d3014798d8});
    EXPECT(Hash128(SanityBytes(1)) ==
           Hash128Value{.low = 0xc44bdff4074eecdb, .high = 0xa6cd5e9392000f6a});
    EXPECT(Hash128(SanityBytes(6)) ==
           Hash128Value{.low = 0x3e7039bdda43cfc6, .high = 0x082afe0b8162d12a});
  }

  TEST_CASE("law: where the bytes lie does not matter, each bit of them does") {
    EXPECT(rc::check([](const std::string& bytes, std::uint64_t seed) {
      const std::string moved = "x" + bytes;
      RC_ASSERT(Hash64(bytes, seed) == Hash64(Bytes(moved).substr(1), seed));
      RC_ASSERT(Hash128(bytes, seed) == Hash128(Bytes(moved).substr(1), seed));
      RC_ASSERT(Hash64(bytes, seed) != Hash64(bytes, seed + 1));
      RC_ASSERT(Hash128(bytes, seed) != Hash128(bytes, seed + 1));
      RC_ASSERT(Hash64(bytes, seed) != Hash64(moved, seed));
      if (bytes.empty()) return;
      std::string flipped = bytes;
      flipped.back() = static_cast<char>(flipped.back() ^ 0x80);
      RC_ASSERT(Hash64(bytes, seed) != Hash64(flipped, seed));
      RC_ASSERT(Hash128(bytes, seed) != Hash128(flipped, seed));
    }));
  }
}

}  // namespace
}  // namespace starling::base
