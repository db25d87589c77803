// Goal:   a leaf as of a cut is what it would be had nothing later been written, and a bound on
//         memory makes old cuts unanswerable, never wrong.
// Method: random histories of a few keys against the same histories played up to the cut alone;
//         held cuts, forgotten ones, and limits by hand.
#include "merkle/recent.h"

#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/random.h"
#include "merkle/history.h"
#include "tests/merkle/draw.h"
#include "tests/test.h"

namespace starling::merkle {
namespace {

constexpr Generation kStart = 1000;

// Few buckets, of few slices: they meet again.
std::uint16_t BucketOfKey(std::uint64_t key) {
  return base::BucketAt(static_cast<std::uint8_t>(key % 3), static_cast<std::uint8_t>(key % 5));
}

// An entry, as a replica sees it: which key, and its version in ms.
struct Write {
  std::uint64_t key = 0;
  std::int64_t version_ms = 0;
};
Digest DigestOfWrite(const Write& write) {
  return DigestOf(std::to_string(write.key),
                  {.version = {static_cast<std::uint64_t>(write.version_ms) << 16, 1, 1}}, 7);
}

std::vector<Write> DrawWrites(base::Random& random, std::size_t count) {
  std::vector<Write> writes;
  for (std::size_t i = 0; i < count; ++i)
    writes.push_back({random.Below(12),
                      EndOf(kStart) + static_cast<std::int64_t>(random.Below(10 * kGenerationMs))});
  return writes;
}

// Takes writes as a replica does: only those that are newer than what it holds.
struct Holder {
  explicit Holder(Generation start = kStart) : history(kKeyspace, start) {}
  void Take(const Write& write) {
    Write& held = newest[write.key];
    if (write.version_ms <= held.version_ms) return;
    history.Change(BucketOfKey(write.key), GenerationOf(write.version_ms), DigestOfWrite(write),
                   held.version_ms == 0 ? Digest{} : DigestOfWrite({write.key, held.version_ms}));
    held = write;
  }
  std::map<std::uint64_t, Write> newest;
  History history;
};

bool SameAt(const Holder& a, const Holder& b, Generation cut) {
  for (std::uint64_t key = 0; key < 12; ++key)
    if (a.history.LeafAt(BucketOfKey(key), cut) != b.history.LeafAt(BucketOfKey(key), cut))
      return false;
  return true;
}

Digest Entry(std::uint64_t number) { return {1, number * 1000003, number}; }

TEST_SUITE("merkle/recent: generations") {
  TEST_CASE("a generation is a second, before 1970 as well") {
    EXPECT(GenerationOf(0) == 0);
    EXPECT(GenerationOf(999) == 0);
    EXPECT(GenerationOf(1000) == 1);
    EXPECT(GenerationOf(-1) == -1);
    EXPECT(GenerationOf(-1000) == -1);
    EXPECT(GenerationOf(-1001) == -2);
    EXPECT(EndOf(4) == 5000);
  }

  TEST_CASE("the newest cut ended 2 to 3 s ago") {
    for (std::int64_t ms = 100'000; ms < 102'000; ++ms) {
      const std::int64_t age = ms - EndOf(NewestCut(ms));
      EXPECT(age >= 2000);
      EXPECT(age < 3000);
    }
  }

  TEST_CASE("a write counts for its version's second, or for its arrival's if that is far ahead") {
    EXPECT(FiledUnder(5'000, 9'000) == 5);
    EXPECT(FiledUnder(9'400, 9'000) == 9);
    EXPECT(FiledUnder(3'600'000, 9'000) == 9);
    EXPECT(FiledUnder(3'600'000, 9'600) == 10);
  }
}

TEST_SUITE("merkle/recent: as of a cut") {
  TEST_CASE("law: a leaf is what it would be had only the writes up to the cut been taken") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      const auto writes = DrawWrites(random, random.Below(80));
      Holder whole;
      for (const Write& write : writes) whole.Take(write);
      for (Generation cut = kStart; cut < kStart + 12; ++cut) {
        // Of what it held itself: a write that found a newer one was never there.
        Holder replay, until;
        for (const Write& write : writes) {
          const bool taken = write.version_ms > replay.newest[write.key].version_ms;
          replay.Take(write);
          if (taken && GenerationOf(write.version_ms) <= cut) until.Take(write);
        }
        RC_ASSERT(SameAt(whole, until, cut));
      }
    }));
  }

  TEST_CASE("law: two replicas with the same writes in order of version agree at every cut") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      auto writes = DrawWrites(random, random.Below(60));
      std::sort(writes.begin(), writes.end(),
                [](const Write& a, const Write& b) { return a.version_ms < b.version_ms; });
      Holder one, other;
      for (const Write& write : writes) one.Take(write);
      // The other lags: it has what is up to some cut, and only part of what is later.
      const Generation cut = kStart + static_cast<Generation>(random.Below(10));
      for (const Write& write : writes)
        if (GenerationOf(write.version_ms) <= cut || random.Chance(0.5)) other.Take(write);
      RC_ASSERT(SameAt(one, other, cut));
    }));
  }

  TEST_CASE("a replica that missed a version, overwritten since, differs where it was current") {
    Holder one, other;
    one.Take({1, EndOf(kStart) + 100});
    one.Take({1, EndOf(kStart + 2)});
    other.Take({1, EndOf(kStart + 2)});
    EXPECT(!SameAt(one, other, kStart + 1));
    EXPECT(SameAt(one, other, kStart));
    EXPECT(SameAt(one, other, kStart + 3));
  }

  TEST_CASE("law: sums and hashes of slices are those of their leaves as of the cut") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      Holder holder;
      for (const Write& write : DrawWrites(random, 60)) holder.Take(write);
      BucketSet some;
      for (std::uint64_t key = 0; key < 15; ++key)
        if (random.Chance(0.7)) some.Insert(BucketOfKey(key));
      const Generation cut = kStart + static_cast<Generation>(random.Below(12));
      const auto sums = holder.history.SliceSumsAt(some, cut);
      for (std::uint32_t i = 0; i < base::kSlices; ++i) {
        const auto slice = static_cast<std::uint8_t>(i);
        Digest sum;
        const auto hashes = holder.history.HashSliceAt(slice, some, 99, cut);
        for (std::uint32_t leaf = 0; leaf < base::kLeavesPerSlice; ++leaf) {
          const std::uint16_t bucket = base::BucketAt(slice, static_cast<std::uint8_t>(leaf));
          if (!some.Contains(bucket)) {
            RC_ASSERT(hashes[leaf] == kNotInSet);
            continue;
          }
          sum += holder.history.LeafAt(bucket, cut);
          RC_ASSERT(hashes[leaf] == ShortHash(holder.history.LeafAt(bucket, cut), 99));
        }
        RC_ASSERT(sums[slice] == sum);
        RC_ASSERT(holder.history.SliceSumAt(slice, some, cut) == sum);
      }
    }));
  }

  TEST_CASE("what was there before the start is in every cut") {
    Holder holder;
    holder.history.tree().Load(7, Entry(1));
    holder.history.Change(7, kStart, Entry(2), {});  // Repair brings what is old.
    EXPECT(holder.history.LeafAt(7, kStart) == Entry(1) + Entry(2));
    EXPECT(holder.history.recent().records() == 0);
    EXPECT(!holder.history.recent().Answers(kStart - 1));
  }
}

TEST_SUITE("merkle/recent: forgetting and holding") {
  TEST_CASE("what no cut needs any more is let go, and the others stay as they are") {
    Recent recent(kStart);
    for (Generation g = 1; g <= 8; ++g) recent.Note(5, kStart + g, Entry(static_cast<unsigned>(g)));
    EXPECT(recent.records() == 8);
    recent.Forget(kStart + 5);
    EXPECT(recent.records() == 3);
    EXPECT(recent.oldest_cut() == kStart + 5);
    EXPECT(!recent.Answers(kStart + 4));
    EXPECT(recent.Later(5, kStart + 5) == Entry(6) + Entry(7) + Entry(8));
    recent.Forget(kStart + 2);  // Never back.
    EXPECT(recent.oldest_cut() == kStart + 5);
    recent.Note(5, kStart + 4, Entry(9));  // In every cut that can be asked for.
    EXPECT(recent.Later(5, kStart + 5) == Entry(6) + Entry(7) + Entry(8));
  }

  TEST_CASE("law: held cuts answer the same however long, at a record a bucket and held cut") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      Recent whole(kStart), some(kStart);
      std::vector<Generation> held;
      Generation now = kStart + 1;
      for (int i = 0; i < 300; ++i) {
        const auto bucket = static_cast<std::uint16_t>(random.Below(6));
        const Generation back = static_cast<Generation>(random.Below(10));
        const Digest delta = Entry(random.Next());
        whole.Note(bucket, now - back, delta);
        some.Note(bucket, now - back, delta);
        if (random.Chance(0.2)) some.Forget(now - 4);
        if (random.Chance(0.05) && some.Hold(now - 3)) held.push_back(now - 3);
        if (random.Chance(0.03) && !held.empty()) {
          some.Release(held.front());
          std::erase(held, Generation{held.front()});
        }
        if (random.Chance(0.5)) ++now;
        for (const Generation cut : held)
          for (std::uint16_t each = 0; each < 6; ++each)
            RC_ASSERT(some.Later(each, cut) == whole.Later(each, cut));
        for (Generation cut = some.oldest_cut(); cut <= now; ++cut)
          RC_ASSERT(some.Later(3, cut) == whole.Later(3, cut));
      }
      some.Forget(now);
      RC_ASSERT(some.records() <= 6 * Recent::kHoldsMax);
      for (const Generation cut : std::vector<Generation>(held)) some.Release(cut);
      RC_ASSERT(some.records() == 0u);
    }));
  }

  TEST_CASE("only so many cuts are held, and none that cannot be answered") {
    Recent recent(kStart);
    EXPECT(!recent.Hold(kStart - 1));
    for (std::size_t i = 0; i < Recent::kHoldsMax; ++i)
      EXPECT(recent.Hold(kStart + static_cast<Generation>(i)));
    EXPECT(!recent.Hold(kStart + 20));
    EXPECT(recent.Hold(kStart));  // It is already.
    recent.Release(kStart);
    EXPECT(recent.Hold(kStart + 20));
    recent.Release(kStart + 99);  // Nothing.
  }

  TEST_CASE("over its limit the oldest cut that can be answered rises, and the newest stays") {
    Recent recent(kStart, 100);
    for (Generation g = 1; g <= 5; ++g)
      for (std::uint16_t bucket = 0; bucket < 40; ++bucket)
        recent.Note(bucket, kStart + g, Entry(bucket + 1u));
    EXPECT(recent.records() <= 100);
    EXPECT(recent.oldest_cut() == kStart + 3);
    EXPECT(recent.Later(7, kStart + 3) == Entry(8) + Entry(8));
    for (std::uint16_t bucket = 0; bucket < 200; ++bucket)
      recent.Note(bucket, kStart + 6, Entry(1));
    EXPECT(recent.records() == 200);
    EXPECT(recent.oldest_cut() == kStart + 5);
    EXPECT(recent.Later(7, kStart + 5) == Entry(1));
  }

  TEST_CASE("memory grows with the buckets that changed, not with the writes") {
    Recent recent(kStart);
    for (int i = 0; i < 100'000; ++i) recent.Note(7, kStart + 1, Entry(1));
    EXPECT(recent.records() == 1);
    EXPECT(recent.memory_bytes() < 8192);
    for (std::uint32_t bucket = 0; bucket < base::kBuckets; ++bucket)
      recent.Note(static_cast<std::uint16_t>(bucket), kStart + 2, Entry(1));
    EXPECT(recent.memory_bytes() < 5u << 20);
  }
}

}  // namespace
}  // namespace starling::merkle
