// Goal:   marks only rise, closed stays at or above purged, and come back from their records as
//         they were, on both engines' terms: bytes.
// Method: random raises beside a plain map; records written to a batch and loaded again.
#include "server/purge/marks.h"

#include <map>
#include <string>

#include "base/random.h"
#include "tests/test.h"

namespace starling::server::purge {
namespace {

struct Records {
  std::map<std::string, std::string> stored;
  void Put(storage::Family, base::Bytes key, base::Bytes value) {
    stored[std::string(key)] = value;
  }
  void Delete(storage::Family, base::Bytes key) { stored.erase(std::string(key)); }
};

Records Store(Marks& marks) {
  storage::Batch batch;
  marks.StoreDirty(batch);
  Records records;
  batch.ForEach(records);
  return records;
}

Marks Load(const Records& records) {
  Marks marks;
  for (const auto& [key, value] : records.stored) {
    const auto place = Marks::ParseKey(key);
    REQUIRE(place.has_value());
    REQUIRE(marks.Load(place->first, place->second, value).ok());
  }
  return marks;
}

TEST_SUITE("server/purge/marks") {
  TEST_CASE("marks only rise, and purged takes closed along") {
    Marks marks;
    marks.Close(1, 7, 100);
    marks.Close(1, 7, 50);
    EXPECT(marks.Of(1, 7) == Mark{100, 0});
    marks.Purge(1, 7, 120);
    EXPECT(marks.Of(1, 7) == Mark{120, 120});
    marks.Purge(1, 7, 110);
    EXPECT(marks.Of(1, 7) == Mark{120, 120});
    EXPECT(marks.Of(1, 8) == Mark{});
    EXPECT(marks.Of(2, 7) == Mark{});
  }

  TEST_CASE("any marks come back from their records, even one of its own for each bucket") {
    base::Random random(3);
    for (const std::uint64_t kinds : {2ULL, 40ULL, 100'000ULL}) {
      Marks marks;
      std::map<std::uint16_t, Mark> expected;
      for (int i = 0; i < 3000; ++i) {
        // Few slices, so that a slice has many buckets with marks.
        const auto bucket =
            base::BucketAt(static_cast<std::uint8_t>(random.Below(2)),
                           static_cast<std::uint8_t>(random.Below(base::kLeavesPerSlice)));
        const std::uint64_t to = 1 + random.Below(kinds);
        Mark& mark = expected[bucket];
        if (random.Chance(0.5)) {
          marks.Close(5, bucket, to);
          mark.closed = std::max(mark.closed, to);
        } else {
          marks.Purge(5, bucket, to);
          mark.purged = std::max(mark.purged, to);
          mark.closed = std::max(mark.closed, mark.purged);
        }
      }
      const Records records = Store(marks);
      EXPECT(records.stored.size() == 2);
      EXPECT(!marks.dirty());
      const Marks loaded = Load(records);
      for (const auto& [bucket, mark] : expected) {
        EXPECT(marks.Of(5, bucket) == mark);
        EXPECT(loaded.Of(5, bucket) == mark);
      }
    }
  }

  TEST_CASE("a keyspace that was closed alike everywhere takes under 150 KB") {
    Marks marks;
    for (std::uint32_t bucket = 0; bucket < base::kBuckets; ++bucket)
      marks.Purge(1, static_cast<std::uint16_t>(bucket), 9);
    EXPECT(marks.memory_bytes() < 150'000);
  }

  TEST_CASE("damaged records are refused") {
    Marks marks;
    marks.Close(1, 0x0100, 9);
    marks.Close(1, 0x0200, 8);
    const Records records = Store(marks);
    const std::string value = records.stored.begin()->second;
    Marks other;
    for (std::size_t size = 0; size < value.size(); ++size)
      EXPECT(!other.Load(1, 0, value.substr(0, size)).ok());
    EXPECT(!other.Load(1, 0, value + "x").ok());
    std::string wrong_kind = value;
    wrong_kind.back() = '\x7f';
    EXPECT(!other.Load(1, 0, wrong_kind).ok());
    EXPECT(!Marks::ParseKey("purge.marks/").has_value());
    EXPECT(!Marks::ParseKey("purge.m").has_value());
  }
}

}  // namespace
}  // namespace starling::server::purge
