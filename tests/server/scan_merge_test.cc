// Goal:   of what replicas say, a scan shows what a point read of each key would; a page that no
//         replica can have is refused.
// Method: pages made by hand and at random, merged, and compared with the rule of point reads.
#include "server/scan_merge.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/random.h"
#include "server/entry_page.h"
#include "storage/entry.h"
#include "tests/test.h"

namespace starling::server {
namespace {

constexpr std::uint64_t kTokenSeed = 7;  // Of tokens.
constexpr base::Token kRingEnd = ~base::Token{0};
constexpr std::int64_t kMergedMs = 1000;

struct Row {
  std::string key;
  std::uint64_t timestamp = 0;
  std::uint8_t flags = 0;
  std::uint64_t expiry_ms = 0;
};

base::Token TokenIn(const std::string& key) { return base::TokenOf(key, kTokenSeed); }
std::uint16_t BucketIn(const std::string& key) { return base::BucketOf(TokenIn(key)); }

// A page in the order of storage; of the rest a test says what it needs.
ReplicaPage PageOf(std::vector<Row> rows, std::uint64_t epoch = 0,
                   const std::vector<purge::PurgedRun>& runs = {}) {
  std::sort(rows.begin(), rows.end(), [](const Row& left, const Row& right) {
    return std::pair(TokenIn(left.key), left.key) < std::pair(TokenIn(right.key), right.key);
  });
  ReplicaPage page;
  page.done = true;
  page.epoch = epoch;
  page.purged = purge::EncodeRuns(runs);
  for (const Row& row : rows)
    wire::PackEntryTo({row.key, {row.timestamp, 1, 1}, row.flags, 1, row.expiry_ms, 0, ""},
                      page.packed);
  return page;
}

// The mark of one bucket, and of no other.
std::vector<purge::PurgedRun> Only(std::uint16_t bucket, std::uint64_t purged) {
  if (bucket == 0) return {{1, purged}};
  return {{bucket, 0}, {1, purged}};
}

ScanMerge WholeRing() { return {{0, {}}, kRingEnd, kTokenSeed}; }

// "key@timestamp" of each, in order.
std::string RowsIn(base::Bytes payload) {
  std::string listed;
  while (!payload.empty()) {
    const auto entry = wire::UnpackEntry(payload);
    REQUIRE(entry.has_value());
    listed += (listed.empty() ? "" : " ") + std::string(entry->key) + "@" +
              std::to_string(entry->version.timestamp);
  }
  return listed;
}

std::string MergedRows(const std::vector<ReplicaPage>& pages) {
  ScanMerge merge = WholeRing();
  for (const ReplicaPage& page : pages) REQUIRE(merge.Add(page).ok());
  const auto merged = merge.Merge(kPageBytesStandard, kMergedMs);
  EXPECT(!merged.next);
  return RowsIn(merged.payload);
}

TEST_SUITE("server/scan_merge: purge marks") {
  TEST_CASE("of two in one epoch, the lower-marked one's old entry counts for nothing") {
    const std::uint16_t bucket = BucketIn("key");
    const auto merged = [&](std::uint64_t timestamp, std::uint64_t epoch,
                            const std::vector<purge::PurgedRun>& has,
                            const std::vector<purge::PurgedRun>& other) {
      const ReplicaPage one = PageOf({{"key", timestamp}}, 7, has);
      const ReplicaPage two = PageOf({}, epoch, other);
      EXPECT(MergedRows({one, two}) == MergedRows({two, one}));
      return MergedRows({one, two});
    };
    EXPECT(merged(100, 7, {}, Only(bucket, 100)).empty());
    EXPECT(merged(100, 7, Only(bucket, 50), Only(bucket, 100)).empty());
    EXPECT(merged(101, 7, {}, Only(bucket, 100)) == "key@101");  // Newer than the mark.
    EXPECT(merged(100, 7, Only(bucket, 100), Only(bucket, 100)) == "key@100");  // Equal marks.
    EXPECT(merged(100, 7, Only(bucket, 100), {}) == "key@100");  // The other's is lower.
    EXPECT(merged(100, 8, {}, Only(bucket, 100)) == "key@100");  // Of different epochs.
    EXPECT(merged(100, 0, {}, {}) == "key@100");                 // It tells no marks.
    EXPECT(merged(100, 7, {}, Only(static_cast<std::uint16_t>(bucket - 1), 100)) == "key@100");
    EXPECT(merged(100, 7, {}, {{bucket, 100}, {1, 0}, {9, 100}}) == "key@100");
    EXPECT(merged(100, 7, {{bucket, 100}}, {{base::kBuckets, 100}}).empty());
  }

  TEST_CASE("what another replica has of the key, and counts, is shown instead") {
    const std::vector<purge::PurgedRun> all{{base::kBuckets, 100}};
    EXPECT(MergedRows({PageOf({{"key", 90}}, 7), PageOf({{"key", 80}}, 7, all)}) == "key@80");
    EXPECT(MergedRows({PageOf({{"key", 110}}, 7), PageOf({{"key", 80}}, 7, all)}) == "key@110");
    EXPECT(MergedRows({PageOf({{"key", 90}}), PageOf({{"key", 80}}, 7, all)}) == "key@90");
    const Row deleted{"key", 95, storage::kFlagTombstone};
    EXPECT(MergedRows({PageOf({deleted}, 7), PageOf({{"key", 90}}, 7)}).empty());
    EXPECT(MergedRows({PageOf({deleted}, 7), PageOf({{"key", 90}}, 7, all)}) == "key@90");
  }

  TEST_CASE("law: each key shows what a point read would count") {
    base::Random random(11);
    for (int round = 0; round < 300; ++round) {
      const std::size_t replicas = 1 + random.Below(5);
      std::vector<std::string> keys;
      for (int i = 0; i < 12; ++i) keys.push_back("key" + std::to_string(random.Below(1000)));
      std::vector<std::vector<Row>> rows(replicas);
      std::vector<std::uint64_t> epochs(replicas);
      std::vector<std::map<std::uint16_t, std::uint64_t>> marks(replicas);
      std::vector<ReplicaPage> pages;
      for (std::size_t i = 0; i < replicas; ++i) {
        epochs[i] = 7 + random.Below(2);
        purge::Marks stored;
        for (const std::string& key : std::set<std::string>(keys.begin(), keys.end())) {
          if (random.Chance(0.7)) rows[i].push_back({key, 1 + random.Below(20)});
          if (random.Chance(0.3)) continue;
          const std::uint64_t purged = random.Below(20);
          marks[i][BucketIn(key)] = std::max(purged, marks[i][BucketIn(key)]);
          stored.Purge(1, BucketIn(key), purged);
        }
        pages.push_back(PageOf(rows[i], epochs[i], purge::RunsOf(stored, 1, 0, 65535)));
      }
      std::vector<Row> expected;
      for (const std::string& key : std::set<std::string>(keys.begin(), keys.end())) {
        std::vector<purge::ReadAnswer> answers;
        for (std::size_t i = 0; i < replicas; ++i) {
          const auto row = std::find_if(rows[i].begin(), rows[i].end(),
                                        [&](const Row& each) { return each.key == key; });
          const base::Version version =
              row == rows[i].end() ? base::Version{} : base::Version{row->timestamp, 1, 1};
          answers.push_back({true, version, epochs[i], marks[i][BucketIn(key)]});
        }
        base::Version newest;
        for (std::size_t i = 0; i < replicas; ++i)
          newest = std::max(newest, purge::Weigh(answers, i));
        if (!newest.empty()) expected.push_back({key, newest.timestamp});
      }
      DOCTEST_INFO("round ", round);
      EXPECT(MergedRows(pages) == RowsIn(PageOf(expected).packed));
    }
  }
}

TEST_SUITE("server/scan_merge: pages") {
  TEST_CASE("expired entries and tombstones are not shown, and hide what is older") {
    const Row expired{"key", 20, storage::kFlagHasExpiry, kMergedMs};
    const Row expires{"key", 20, storage::kFlagHasExpiry, kMergedMs + 1};
    EXPECT(MergedRows({PageOf({expired}), PageOf({{"key", 10}})}).empty());
    EXPECT(MergedRows({PageOf({expires}), PageOf({{"key", 10}})}) == "key@20");
    EXPECT(MergedRows({PageOf({{"key", 20, storage::kFlagTombstone}}), PageOf({{"key", 10}})})
               .empty());
  }

  TEST_CASE("beyond what some replica has told, all is left to the next page") {
    const std::string whole = RowsIn(PageOf({{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}}).packed);
    std::vector<std::string> keys;
    for (std::size_t at = 0; at < whole.size(); at += 4) keys.push_back(whole.substr(at, 1));
    const auto rows = [&](std::size_t count) {
      std::vector<Row> some;
      for (std::size_t i = 0; i < count; ++i) some.push_back({keys[i], 1});
      return some;
    };
    ScanMerge merge = WholeRing();
    REQUIRE(merge.Add(PageOf(rows(4))).ok());
    ReplicaPage other = PageOf(rows(2));
    other.done = false;
    SUBCASE("its last entry ends the page") {
      REQUIRE(merge.Add(other).ok());
      const auto merged = merge.Merge(kPageBytesStandard, kMergedMs);
      EXPECT(RowsIn(merged.payload) == whole.substr(0, 7));
      EXPECT(merged.next == ScanMerge::Place{TokenIn(keys[1]), keys[1]});
    }
    SUBCASE("it has told of more than its entries") {
      other.told_upto = TokenIn(keys[2]);
      REQUIRE(merge.Add(other).ok());
      const auto merged = merge.Merge(kPageBytesStandard, kMergedMs);
      EXPECT(RowsIn(merged.payload) == whole.substr(0, 11));
      EXPECT(merged.next == ScanMerge::Place{TokenIn(keys[2]) + 1, ""});
    }
    SUBCASE("and may have none") {
      other.packed.clear();
      other.told_upto = TokenIn(keys[0]) - 1;
      REQUIRE(merge.Add(other).ok());
      const auto merged = merge.Merge(kPageBytesStandard, kMergedMs);
      EXPECT(merged.payload.empty());
      EXPECT(merged.next == ScanMerge::Place{TokenIn(keys[0]), ""});
    }
  }

  TEST_CASE("a page that cannot be is refused, and changes nothing") {
    std::string after;
    std::vector<Row> sound{{"key", 1}};
    ReplicaPage page = PageOf({{"key", 2}});
    SUBCASE("it has an entry from before") {
      after = "key";
      sound.clear();
    }
    SUBCASE("it has one twice") { page.packed += page.packed; }
    SUBCASE("it is not done, and has nothing") {
      page = PageOf({});
      page.done = false;
    }
    SUBCASE("it was told up to before it begins") {
      page = PageOf({});
      page.done = false;
      page.told_upto = TokenIn("key") - 1;
    }
    SUBCASE("it was told up to its end, and is not done") {
      page.done = false;
      page.told_upto = TokenIn("key") + 100;
    }
    SUBCASE("its marks are of buckets that there are not") {
      page.epoch = 7;
      page.purged = purge::EncodeRuns({{base::kBuckets, 1}});
    }
    ScanMerge merge({TokenIn("key"), after}, TokenIn("key") + 100, kTokenSeed);
    REQUIRE(merge.Add(PageOf(sound)).ok());
    const auto before = merge.Merge(kPageBytesStandard, kMergedMs);
    EXPECT(!merge.Add(page).ok());
    EXPECT(merge.Merge(kPageBytesStandard, kMergedMs).payload == before.payload);
  }
}

}  // namespace
}  // namespace starling::server
