// Goal:   a digest is the sum of its entries, in any order, and each fact of an entry is in it.
// Method: arithmetic at the carries by hand; laws over drawn entries, shuffled and taken back.
#include "merkle/digest.h"

#include <rapidcheck.h>

#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/test.h"

namespace starling::merkle {
namespace {

constexpr std::uint64_t kSeed = 42;
constexpr std::uint64_t kMost = ~std::uint64_t{0};

// `count` digests of entries, each of another key.
std::vector<Digest> DrawEntries(base::Random& random, std::size_t count) {
  std::vector<Digest> entries;
  for (std::size_t i = 0; i < count; ++i) {
    EntryFacts facts;
    facts.version = {random.Next(), 1, 2};
    facts.value_digest = random.Next();
    entries.push_back(DigestOf("key" + std::to_string(i), facts, kSeed));
  }
  return entries;
}

Digest SumOf(const std::vector<Digest>& entries) {
  Digest sum;
  for (const Digest& entry : entries) sum += entry;
  return sum;
}

TEST_SUITE("merkle/digest: sums") {
  TEST_CASE("the low half carries into the high one, and borrows from it") {
    const Digest a{1, kMost, 4}, b{1, 1, 0};
    EXPECT(a + b == Digest{2, 0, 5});
    EXPECT(a + b - b == a);
    EXPECT(Digest{1, 0, 5} - Digest{0, 1, 0} == Digest{1, kMost, 4});
    EXPECT(Digest{0, 5, 5} - Digest{0, 5, 5} == Digest{});
  }

  TEST_CASE("sums wrap at 2^128, and come back") {
    const Digest most{kMost, kMost, kMost};
    EXPECT(most + Digest{1, 1, 0} == Digest{});
    EXPECT(Digest{} - Digest{1, 1, 0} == most);
    EXPECT(Digest{} - Digest{1, 1, 0} + Digest{1, 1, 0} == Digest{});
  }

  TEST_CASE("empty is no entries and no sum: one without the other is damage, and shows") {
    EXPECT(Digest{}.empty());
    EXPECT(!Digest{1, 0, 0}.empty());
    EXPECT(!Digest{0, 1, 0}.empty());
    EXPECT(!Digest{0, 0, 1}.empty());
  }

  TEST_CASE("law: the order of adding does not matter") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      auto entries = DrawEntries(random, random.Below(50));
      const Digest sum = SumOf(entries);
      RC_ASSERT(sum.count == entries.size());
      random.Shuffle(entries);
      RC_ASSERT(SumOf(entries) == sum);
    }));
  }

  TEST_CASE("law: removing undoes adding, whatever came between") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      auto stay = DrawEntries(random, random.Below(20));
      auto go = DrawEntries(random, random.Below(20));
      Digest sum = SumOf(go) + SumOf(stay);
      random.Shuffle(go);
      for (const Digest& entry : go) sum -= entry;
      RC_ASSERT(sum == SumOf(stay));
    }));
  }

  TEST_CASE("law: removing before adding comes to the same") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      const auto entries = DrawEntries(random, 2);
      RC_ASSERT(Digest{} - entries[0] + entries[1] + entries[0] == entries[1]);
    }));
  }

  TEST_CASE("24 bytes, little-endian: count, low, high") {
    char bytes[Digest::kSize];
    Digest{0x0102030405060708, 0x1112131415161718, 0x2122232425262728}.StoreTo(bytes);
    EXPECT(base::ToHex({bytes, sizeof bytes}) ==
           "0807060504030201"
           "1817161514131211"
           "2827262524232221");
    EXPECT(Digest::LoadFrom(bytes) ==
           Digest{0x0102030405060708, 0x1112131415161718, 0x2122232425262728});
  }
}

TEST_SUITE("merkle/digest: of an entry") {
  const EntryFacts kFacts{.version = {1764000000000ULL << 16, 2, 7},
                          .flags = 2,
                          .expiry_ms = 1764000060000,
                          .value_digest = 99};

  TEST_CASE("each fact, the key and the seed make another digest") {
    std::vector<Digest> digests{DigestOf("key", kFacts, kSeed)};
    const auto with = [&](auto change) {
      EntryFacts facts = kFacts;
      change(facts);
      digests.push_back(DigestOf("key", facts, kSeed));
    };
    with([](EntryFacts& facts) { ++facts.version.timestamp; });
    with([](EntryFacts& facts) { ++facts.version.node; });
    with([](EntryFacts& facts) { ++facts.version.nonce; });
    with([](EntryFacts& facts) { facts.flags = 3; });
    with([](EntryFacts& facts) { facts.expiry_ms = 0; });
    with([](EntryFacts& facts) { ++facts.value_digest; });
    digests.push_back(DigestOf("kez", kFacts, kSeed));
    digests.push_back(DigestOf("", kFacts, kSeed));
    digests.push_back(DigestOf(std::string("key\0", 4), kFacts, kSeed));
    digests.push_back(DigestOf("key", kFacts, kSeed + 1));
    std::set<std::pair<std::uint64_t, std::uint64_t>> sums;
    for (const Digest& digest : digests) {
      EXPECT(digest.count == 1);
      sums.emplace(digest.low, digest.high);
    }
    EXPECT(sums.size() == digests.size());
  }

  TEST_CASE("two replicas make the same digest of the same entry") {
    EXPECT(DigestOf("key", kFacts, kSeed) == DigestOf(std::string("key"), kFacts, kSeed));
  }
}

}  // namespace
}  // namespace starling::merkle
