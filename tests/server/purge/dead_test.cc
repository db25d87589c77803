// Goal:   tombstones and expiring entries are counted exactly, and a bucket is due no later than
// its
//         first entry may go.
// Method: entries come and go at random beside a list of them; passes with entries that come
//         meanwhile; records.
#include "server/purge/dead.h"

#include <map>
#include <string>

#include "base/random.h"
#include "tests/test.h"

namespace starling::server::purge {
namespace {

constexpr std::uint64_t kSecond = 1000ULL << 16;

storage::EntryHeader DeletedAt(std::uint64_t second) {
  storage::EntryHeader header;
  header.version = {second * kSecond, 1, 1};
  header.flags = storage::kFlagTombstone;
  return header;
}

storage::EntryHeader Expiring(std::uint64_t second, std::uint64_t expiry_s) {
  storage::EntryHeader header;
  header.version = {second * kSecond, 1, 1};
  header.flags = storage::kFlagHasExpiry;
  header.expiry_ms = expiry_s * 1000;
  return header;
}

bool IsDue(DeadCounts& dead, std::uint16_t bucket, std::uint64_t second) {
  const auto due = dead.Due(1, second * kSecond, base::kBuckets);
  return std::find(due.begin(), due.end(), bucket) != due.end();
}

TEST_SUITE("server/purge/dead") {
  TEST_CASE("counts are exact whatever comes and goes, and survive in their records") {
    base::Random random(11);
    DeadCounts dead;
    std::vector<std::pair<std::uint16_t, storage::EntryHeader>> held;
    for (int i = 0; i < 5000; ++i) {
      if (!held.empty() && random.Chance(0.45)) {
        const std::size_t at = random.Below(held.size());
        dead.Remove(1, held[at].first, held[at].second, 20);
        held.erase(held.begin() + static_cast<std::ptrdiff_t>(at));
        continue;
      }
      const auto bucket = static_cast<std::uint16_t>(random.Below(600));
      const auto header = random.Chance(0.6) ? DeletedAt(random.Below(100))
                                             : Expiring(random.Below(100), random.Below(200));
      dead.Add(1, bucket, header, 20);
      held.emplace_back(bucket, header);
    }
    std::uint64_t tombstones = 0;
    for (const auto& [bucket, header] : held) tombstones += header.tombstone() ? 1 : 0;
    const auto check = [&](const DeadCounts& counts) {
      const auto totals = counts.TotalsOf(1);
      EXPECT(totals.tombstones == tombstones);
      EXPECT(totals.expiring == held.size() - tombstones);
      EXPECT(totals.tombstone_bytes == tombstones * (20 + storage::kEntryHeaderBytes));
    };
    check(dead);
    struct Loader {
      DeadCounts loaded;
      void Put(storage::Family, base::Bytes key, base::Bytes value) {
        const auto place = DeadCounts::ParseKey(key);
        REQUIRE(place.has_value());
        REQUIRE(loaded.Load(place->first, place->second, value).ok());
      }
      void Delete(storage::Family, base::Bytes) {}
    } loader;
    storage::Batch batch;
    dead.StoreDirty(batch);
    batch.ForEach(loader);
    check(loader.loaded);
    for (const auto& [bucket, header] : held)
      EXPECT(IsDue(loader.loaded, bucket, DeadCounts::DueOf(header)));
  }

  TEST_CASE("an entry that expires is due by its expiry, a plain one never") {
    DeadCounts dead;
    dead.Add(1, 4, Expiring(10, 50), 20);
    EXPECT(!IsDue(dead, 4, 49));
    EXPECT(IsDue(dead, 4, 50));
    dead.Add(1, 5, storage::EntryHeader{.version = {10 * kSecond, 1, 1}}, 20);
    EXPECT(!IsDue(dead, 5, 1000));
  }

  TEST_CASE("after a pass a bucket is due when what stays is, and what came meanwhile") {
    DeadCounts dead;
    dead.Add(1, 4, DeletedAt(10), 20);
    dead.Add(1, 4, Expiring(10, 500), 20);
    dead.BeginPass(1, 4);
    dead.Remove(1, 4, DeletedAt(10), 20);
    SUBCASE("nothing came") {
      dead.EndPass(1, 4, 500);
      EXPECT(!IsDue(dead, 4, 499));
      EXPECT(IsDue(dead, 4, 500));
    }
    SUBCASE("something came") {
      dead.Add(1, 4, DeletedAt(30), 20);
      dead.EndPass(1, 4, 500);
      EXPECT(!IsDue(dead, 4, 29));
      EXPECT(IsDue(dead, 4, 30));
    }
    SUBCASE("it was given up") {
      dead.AbandonPass(1, 4);
      EXPECT(IsDue(dead, 4, 10));
    }
  }

  TEST_CASE("what is due comes in turn, when it is more than is asked for") {
    DeadCounts dead;
    for (std::uint16_t bucket = 0; bucket < 100; ++bucket) dead.Add(1, bucket, DeletedAt(1), 20);
    std::map<std::uint16_t, int> seen;
    for (int i = 0; i < 10; ++i)
      for (const std::uint16_t bucket : dead.Due(1, 5 * kSecond, 10)) ++seen[bucket];
    EXPECT(seen.size() == 100);
  }

  TEST_CASE("totals say from when on something may go, and which buckets hold any") {
    DeadCounts dead;
    EXPECT(dead.TotalsOf(1).due_s == DeadCounts::kNever);
    dead.Add(1, 40, DeletedAt(9), 20);
    dead.Add(1, 7, DeletedAt(5), 20);
    DeadCounts::Totals both = dead.TotalsOf(1);
    EXPECT(both.due_s == DeadCounts::DueOf(DeletedAt(5)));
    both += DeadCounts::Totals{.tombstones = 1, .due_s = 3};
    EXPECT(both.due_s == 3);
    dead.Remove(1, 7, DeletedAt(5), 20);
    EXPECT(dead.TotalsOf(1).due_s == DeadCounts::DueOf(DeletedAt(9)));
    std::vector<std::uint16_t> holds;
    dead.ForEach(1, [&](std::uint16_t bucket) { holds.push_back(bucket); });
    EXPECT(holds == std::vector<std::uint16_t>{40});
  }

  TEST_CASE("entries that were never counted take no count below zero") {
    DeadCounts dead;
    dead.Remove(1, 4, DeletedAt(1), 20);
    dead.Add(1, 4, Expiring(1, 2), 20);
    dead.Remove(1, 4, DeletedAt(1), 20);
    EXPECT(dead.TotalsOf(1).tombstones == 0);
    EXPECT(dead.TotalsOf(1).expiring == 1);
  }

  TEST_CASE("damaged records are refused") {
    DeadCounts dead;
    EXPECT(!dead.Load(1, 4, "short").ok());
    EXPECT(!DeadCounts::ParseKey("purge.dead/12345").has_value());
  }
}

}  // namespace
}  // namespace starling::server::purge
