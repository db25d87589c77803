// Goal:   each leaf is the sum of what is in its bucket, whatever the order of the writes, and says
//         when it must be written.
// Method: random histories against the entries they leave, summed anew; records good and bad.
#include "merkle/tree.h"

#include <rapidcheck.h>

#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/merkle/draw.h"
#include "tests/test.h"

namespace starling::merkle {
namespace {

// Few buckets, in few slices, so that they share pages and meet again.
std::uint16_t DrawBucket(base::Random& random) {
  return base::BucketAt(static_cast<std::uint8_t>(random.Below(4) * 85),
                        static_cast<std::uint8_t>(random.Below(4) * 85));
}

struct Change {
  std::uint16_t bucket = 0;
  Digest entry{};
  bool add = true;
};

// Adds, and of some of what was added the removal, in any order.
std::vector<Change> DrawChanges(base::Random& random) {
  std::vector<Change> changes;
  for (std::uint64_t i = random.Below(60); i > 0; --i) {
    const Change change{DrawBucket(random), DrawDigest(random)};
    changes.push_back(change);
    if (random.Chance(0.4)) changes.push_back({change.bucket, change.entry, false});
  }
  random.Shuffle(changes);
  return changes;
}

void Apply(const std::vector<Change>& changes, Tree& tree) {
  for (const Change& change : changes) {
    if (change.add)
      tree.Add(change.bucket, change.entry);
    else
      tree.Remove(change.bucket, change.entry);
  }
}

std::map<std::uint16_t, Digest> LeavesOf(const std::vector<Change>& changes) {
  std::map<std::uint16_t, Digest> leaves;
  for (const Change& change : changes) {
    if (change.add)
      leaves[change.bucket] += change.entry;
    else
      leaves[change.bucket] -= change.entry;
  }
  return leaves;
}

bool SameLeaves(const Tree& a, const Tree& b) {
  for (std::uint32_t bucket = 0; bucket < base::kBuckets; ++bucket)
    if (a.Leaf(static_cast<std::uint16_t>(bucket)) != b.Leaf(static_cast<std::uint16_t>(bucket)))
      return false;
  return true;
}

TEST_SUITE("merkle/tree") {
  TEST_CASE("a new tree is empty everywhere, and takes no pages") {
    const Tree tree(kKeyspace);
    EXPECT(tree.keyspace() == kKeyspace);
    EXPECT(tree.Leaf(0).empty());
    EXPECT(tree.Leaf(65535).empty());
    EXPECT(tree.Sum(BucketSet::All()).empty());
    EXPECT(tree.dirty().empty());
    EXPECT(tree.memory_bytes() < 16 * 1024);
  }

  TEST_CASE("law: the order of changes does not matter, and leaves are the sums of what stays") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      auto changes = DrawChanges(random);
      Tree one(kKeyspace), other(kKeyspace);
      Apply(changes, one);
      random.Shuffle(changes);
      Apply(changes, other);
      RC_ASSERT(SameLeaves(one, other));
      for (const auto& [bucket, leaf] : LeavesOf(changes)) RC_ASSERT(one.Leaf(bucket) == leaf);
      RC_ASSERT(one.Sum(BucketSet::All()) == other.Sum(BucketSet::All()));
    }));
  }

  TEST_CASE("law: removing all that was added leaves an empty tree") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      auto changes = DrawChanges(random);
      Tree tree(kKeyspace);
      Apply(changes, tree);
      for (Change& change : changes) change.add = !change.add;
      random.Shuffle(changes);
      Apply(changes, tree);
      RC_ASSERT(SameLeaves(tree, Tree(kKeyspace)));
    }));
  }

  TEST_CASE("a change touches its own bucket only") {
    Tree tree(kKeyspace);
    const Digest entry{1, 2, 3};
    tree.Add(base::BucketAt(7, 9), entry);
    EXPECT(tree.Leaf(base::BucketAt(7, 9)) == entry);
    EXPECT(tree.Leaf(base::BucketAt(9, 7)).empty());
    EXPECT(tree.Sum(BucketSet::All()) == entry);
  }
}

TEST_SUITE("merkle/tree: sums over sets of buckets") {
  TEST_CASE("law: a sum is that of the leaves in the set, by slice and in all") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      const auto changes = DrawChanges(random);
      Tree tree(kKeyspace);
      Apply(changes, tree);
      BucketSet in, out = BucketSet::All();
      Digest sum;
      std::map<std::uint8_t, Digest> slice_sums;
      for (const auto& [bucket, leaf] : LeavesOf(changes)) {
        if (random.Chance(0.5)) continue;
        in.Insert(bucket);
        out.Erase(bucket);
        sum += leaf;
        slice_sums[base::SliceOf(bucket)] += leaf;
      }
      RC_ASSERT(tree.Sum(in) == sum);
      for (std::uint32_t i = 0; i < base::kSlices; ++i) {
        const auto slice = static_cast<std::uint8_t>(i);
        RC_ASSERT(tree.SliceSum(slice, in) == slice_sums[slice]);
      }
      RC_ASSERT(tree.Sum(in) + tree.Sum(out) == tree.Sum(BucketSet::All()));
    }));
  }

  TEST_CASE("law: the sum of a run is that of the leaves from its first to its last") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      const auto changes = DrawChanges(random);
      Tree tree(kKeyspace);
      Apply(changes, tree);
      const auto leaves = LeavesOf(changes);
      // Borders at buckets that have something, and beside them: there a run may go wrong.
      std::vector<std::uint16_t> borders{0, base::kBuckets - 1};
      for (const auto& [bucket, leaf] : leaves)
        for (const int beside : {-1, 0, 1})
          borders.push_back(static_cast<std::uint16_t>(bucket + beside));
      for (int i = 0; i < 20; ++i) {
        std::uint16_t first = borders[random.Below(borders.size())];
        std::uint16_t last = borders[random.Below(borders.size())];
        if (first > last) std::swap(first, last);
        Digest sum;
        for (const auto& [bucket, leaf] : leaves)
          if (first <= bucket && bucket <= last) sum += leaf;
        RC_ASSERT(tree.RunSum(first, last) == sum);
      }
    }));
  }

  TEST_CASE("a set knows what is in it") {
    BucketSet set;
    EXPECT(set.empty());
    set.Insert(0);
    set.Insert(65535);
    set.Insert(65535);
    EXPECT(set.size() == 2);
    EXPECT(set.Contains(0));
    EXPECT(!set.Contains(1));
    set.Erase(0);
    EXPECT(!set.Contains(0));
    set.Clear();
    EXPECT(set == BucketSet());
    EXPECT(BucketSet::All().size() == base::kBuckets);
  }
}

TEST_SUITE("merkle/tree: what must be written") {
  TEST_CASE("changed buckets are told once each, in the order of their first change") {
    Tree tree(kKeyspace);
    const Digest entry{1, 2, 3};
    tree.Add(500, entry);
    tree.Add(7, entry);
    tree.Add(500, entry);
    tree.Remove(9, entry);
    EXPECT(tree.dirty() == std::vector<std::uint16_t>{500, 7, 9});
    tree.ClearDirty();
    EXPECT(tree.dirty().empty());
    tree.Remove(7, entry);
    EXPECT(tree.dirty() == std::vector<std::uint16_t>{7});
  }

  TEST_CASE("a bucket that is empty again must be written, too") {
    Tree tree(kKeyspace);
    tree.Add(500, {1, 2, 3});
    tree.ClearDirty();
    tree.Remove(500, {1, 2, 3});
    EXPECT(tree.Leaf(500).empty());
    EXPECT(tree.dirty() == std::vector<std::uint16_t>{500});
  }

  TEST_CASE("a loaded leaf is what was stored, and need not be written") {
    Tree tree(kKeyspace);
    tree.Load(500, {4, 5, 6});
    EXPECT(tree.Leaf(500) == Digest{4, 5, 6});
    EXPECT(tree.dirty().empty());
    tree.Add(500, {1, 1, 1});
    EXPECT(tree.Leaf(500) == Digest{5, 6, 7});
  }

  TEST_CASE("memory grows by a page of 6 KiB with the first entry of a slice") {
    Tree tree(kKeyspace);
    tree.Load(base::BucketAt(1, 0), {1, 1, 1});
    const std::size_t one_page = tree.memory_bytes();
    tree.Load(base::BucketAt(1, 255), {1, 1, 1});
    EXPECT(tree.memory_bytes() == one_page);
    tree.Load(base::BucketAt(2, 0), {1, 1, 1});
    EXPECT(tree.memory_bytes() == one_page + 6 * 1024);
  }

  TEST_CASE("a tree with an entry in every bucket takes under 1.6 MB, also after a turn in all") {
    Tree tree(kKeyspace);
    for (std::uint32_t bucket = 0; bucket < base::kBuckets; ++bucket)
      tree.Add(static_cast<std::uint16_t>(bucket), {1, bucket, 1});
    EXPECT(tree.dirty().size() == base::kBuckets);
    tree.ClearDirty();
    EXPECT(tree.memory_bytes() < 1'600'000);
    EXPECT(tree.memory_bytes() > base::kBuckets * sizeof(Digest));
  }
}

TEST_SUITE("merkle/tree: records") {
  TEST_CASE("a leaf's key is keyspace, slice and leaf, so that a slice is one scan") {
    EXPECT(base::ToHex(LeafKey(0x01020304, 0xabcd)) ==
           "01020304"
           "cd"
           "ab");
    EXPECT(LeafKey(3, base::BucketAt(7, 255)) < LeafKey(3, base::BucketAt(8, 0)));
    EXPECT(LeafKey(3, base::BucketAt(255, 255)) < LeafKey(4, base::BucketAt(0, 0)));
  }

  TEST_CASE("law: leaf and key come back as they were encoded") {
    EXPECT(rc::check([](base::KeyspaceId keyspace, std::uint16_t bucket, std::uint64_t seed) {
      const auto place = ParseLeafKey(LeafKey(keyspace, bucket));
      RC_ASSERT(place.has_value());
      RC_ASSERT(place->keyspace == keyspace);
      RC_ASSERT(place->bucket == bucket);
      base::Random random(seed);
      const Digest leaf{random.Next(), random.Next(), random.Next()};
      RC_ASSERT(DecodeLeaf(EncodeLeaf(leaf)) == leaf);
    }));
  }

  TEST_CASE("a key or value of any other length is Corruption") {
    for (std::size_t size = 0; size < 40; ++size) {
      const std::string bytes(size, 'x');
      const auto place = ParseLeafKey(bytes);
      const auto leaf = DecodeLeaf(bytes);
      EXPECT(place.has_value() == (size == 6));
      EXPECT(leaf.has_value() == (size == 24));
      if (!place) EXPECT(place.error().code() == base::Code::kCorruption);
      if (!leaf) EXPECT(leaf.error().code() == base::Code::kCorruption);
    }
    EXPECT(ParseLeafKey("key").error().message() ==
           "the key 6b6579 of a leaf's record has 3 bytes, not 6");
  }
}

}  // namespace
}  // namespace starling::merkle
