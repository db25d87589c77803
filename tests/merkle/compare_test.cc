// Goal:   two replicas' hashes name exactly the buckets at which they differ.
// Method: random damage, from one entry to every bucket, found by the sums and hashes that repair
//         exchanges; leaves that differ in one of count and sum; collisions, found by search.
#include "merkle/compare.h"

#include <rapidcheck.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "base/random.h"
#include "tests/merkle/draw.h"
#include "tests/test.h"

namespace starling::merkle {
namespace {

constexpr std::uint64_t kSalt = 77;
constexpr std::uint8_t kSlice = 200;

using Buckets = std::set<std::uint16_t>;

struct Replicas {
  Tree mine{kKeyspace};
  Tree theirs{kKeyspace};
};

// Puts the same leaves into both: three entries or so in each of half of the buckets of `slices`.
void Fill(Replicas& replicas, const std::vector<std::uint8_t>& slices, base::Random& random) {
  for (const std::uint8_t slice : slices) {
    for (std::uint32_t leaf = 0; leaf < base::kLeavesPerSlice; ++leaf) {
      if (random.Chance(0.5)) continue;
      const std::uint16_t bucket = base::BucketAt(slice, static_cast<std::uint8_t>(leaf));
      const Digest sum = DrawDigest(random) + DrawDigest(random) + DrawDigest(random);
      replicas.mine.Load(bucket, sum);
      replicas.theirs.Load(bucket, sum);
    }
  }
}

// One side lacks an entry, or has an older one.
void Damage(Replicas& replicas, std::uint16_t bucket, base::Random& random) {
  Tree& worse = random.Chance(0.5) ? replicas.mine : replicas.theirs;
  Tree& better = &worse == &replicas.mine ? replicas.theirs : replicas.mine;
  better.Add(bucket, DrawDigest(random));
  if (random.Chance(0.5)) worse.Add(bucket, DrawDigest(random));
}

// What repair does: sums by slice, then the hashes of the leaves of those that differ.
Buckets Differing(const Replicas& replicas, const BucketSet& mine, const BucketSet& theirs) {
  Buckets found;
  BucketSet both;
  for (std::uint32_t i = 0; i < base::kBuckets; ++i) {
    const auto bucket = static_cast<std::uint16_t>(i);
    if (mine.Contains(bucket) && theirs.Contains(bucket)) both.Insert(bucket);
  }
  for (std::uint32_t i = 0; i < base::kSlices; ++i) {
    const auto slice = static_cast<std::uint8_t>(i);
    if (replicas.mine.SliceSum(slice, both) == replicas.theirs.SliceSum(slice, both)) continue;
    const auto named = DifferingBuckets(slice, HashSlice(replicas.mine, slice, mine, kSalt),
                                        HashSlice(replicas.theirs, slice, theirs, kSalt));
    EXPECT(std::is_sorted(named.begin(), named.end()));
    found.insert(named.begin(), named.end());
  }
  return found;
}

SliceHashes HashesOf(const Tree& tree, std::uint64_t salt = kSalt) {
  return HashSlice(tree, kSlice, BucketSet::All(), salt);
}

TEST_SUITE("merkle/compare") {
  TEST_CASE("equal replicas differ nowhere, empty ones included") {
    Replicas replicas;
    EXPECT(Differing(replicas, BucketSet::All(), BucketSet::All()).empty());
    base::Random random(1);
    Fill(replicas, {0, kSlice}, random);
    EXPECT(Differing(replicas, BucketSet::All(), BucketSet::All()).empty());
    EXPECT(DifferingBuckets(kSlice, HashesOf(replicas.mine), HashesOf(replicas.theirs)).empty());
  }

  TEST_CASE("law: any damage of one slice, from one bucket to all 256, is named, and no more") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      Replicas replicas;
      Fill(replicas, {kSlice}, random);
      Buckets damaged;
      const auto count = 1 + (random.Below(256) >> random.Below(9));
      while (damaged.size() < count)
        damaged.insert(base::BucketAt(kSlice, static_cast<std::uint8_t>(random.Next())));
      for (const std::uint16_t bucket : damaged) Damage(replicas, bucket, random);
      RC_ASSERT(Differing(replicas, BucketSet::All(), BucketSet::All()) == damaged);
    }));
  }

  TEST_CASE("all 65,536 buckets damaged are all named") {
    base::Random random(2);
    Replicas replicas;
    for (std::uint32_t bucket = 0; bucket < base::kBuckets; ++bucket)
      Damage(replicas, static_cast<std::uint16_t>(bucket), random);
    EXPECT(Differing(replicas, BucketSet::All(), BucketSet::All()).size() == base::kBuckets);
  }

  TEST_CASE("one entry anywhere in the ring is named") {
    const std::vector<std::uint16_t> places = {0, 1, 255, 256, 0x1234, 65279, 65280, 65535};
    for (const std::uint16_t bucket : places) {
      Replicas replicas;
      base::Random random(bucket);
      Fill(replicas, {0, 0x34, 255}, random);
      replicas.theirs.Add(bucket, DrawDigest(random));
      EXPECT(Differing(replicas, BucketSet::All(), BucketSet::All()) == Buckets{bucket});
    }
  }

  TEST_CASE("a bucket that one side does not own is never named") {
    const std::uint16_t first = base::BucketAt(kSlice, 1), second = base::BucketAt(kSlice, 2),
                        third = base::BucketAt(kSlice, 3);
    Replicas replicas;
    for (const std::uint16_t bucket : {first, second, third}) replicas.mine.Add(bucket, {1, 1, 1});
    BucketSet mine, theirs;
    for (const std::uint16_t bucket : {first, second}) mine.Insert(bucket);
    for (const std::uint16_t bucket : {second, third}) theirs.Insert(bucket);
    EXPECT(Differing(replicas, mine, theirs) == Buckets{second});
    EXPECT(Differing(replicas, mine, BucketSet()).empty());
  }
}

TEST_SUITE("merkle/compare: collisions") {
  TEST_CASE("leaves of equal sum differ by count, and of equal count by either half of the sum") {
    const Digest leaf{3, 100, 200};
    for (const Digest& other : {Digest{4, 100, 200}, Digest{3, 101, 200}, Digest{3, 100, 201},
                                Digest{3, 200, 100}, Digest{100, 3, 200}}) {
      Replicas replicas;
      replicas.mine.Load(base::BucketAt(kSlice, 9), leaf);
      replicas.theirs.Load(base::BucketAt(kSlice, 9), other);
      EXPECT(Differing(replicas, BucketSet::All(), BucketSet::All()) ==
             Buckets{base::BucketAt(kSlice, 9)});
    }
  }

  TEST_CASE("an empty leaf has a hash like others, and is not taken for one that is not owned") {
    EXPECT(ShortHash({}, kSalt) != kNotInSet);
    EXPECT(ShortHash({}, kSalt) != ShortHash({}, kSalt + 1));
    Replicas replicas;
    replicas.mine.Add(base::BucketAt(kSlice, 9), {1, 1, 1});
    EXPECT(HashesOf(replicas.theirs)[9] != kNotInSet);
    EXPECT(HashSlice(replicas.mine, kSlice, BucketSet(), kSalt)[9] == kNotInSet);
    EXPECT(DifferingBuckets(kSlice, HashesOf(replicas.mine), HashesOf(replicas.theirs)) ==
           std::vector<std::uint16_t>{base::BucketAt(kSlice, 9)});
  }

  TEST_CASE("leaves whose hashes collide in the 4 bytes that are sent part under another salt") {
    base::Random random(3);
    std::unordered_map<std::uint32_t, Digest> by_hash;
    int collisions = 0, parted = 0;
    for (int i = 0; i < 300'000; ++i) {  // About ten collide.
      const Digest leaf = DrawDigest(random);
      const auto [it, fresh] =
          by_hash.emplace(static_cast<std::uint32_t>(ShortHash(leaf, kSalt)), leaf);
      if (fresh) continue;
      ++collisions;
      const auto again = [](const Digest& d) {
        return static_cast<std::uint32_t>(ShortHash(d, kSalt + 1));
      };
      parted += again(leaf) != again(it->second) ? 1 : 0;
    }
    EXPECT(collisions > 0);
    EXPECT(parted == collisions);
  }
}

}  // namespace
}  // namespace starling::merkle
