// Goal:   a replica tells, with its page, what it had purged before it read it, and no more marks
//         than a frame's header takes; pages that end for that come to the end all the same.
// Method: marks and entries put into the engine in memory, and an engine that changes as it is
//         read.
#include "server/scan_page.h"

#include <string>

#include "server/purge/marks.h"
#include "server/purge/purged_runs.h"
#include "storage/entry.h"
#include "storage/memory_engine.h"
#include "tests/server/unreadable_engine.h"
#include "tests/test.h"

namespace starling::server {
namespace {

constexpr base::KeyspaceId kPageKeyspace = 7;
constexpr base::Token kScanEnd = ~base::Token{0};

using purge::PurgedRun;

struct MarkedStore {
  std::shared_ptr<storage::MemoryDisk> disk = std::make_shared<storage::MemoryDisk>();
  storage::MemoryEngine engine{disk};
  purge::Marks marks;

  void Write(const storage::Batch& batch) {
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(engine.Write(batches, storage::Sync::kNo).ok());
  }
  void Put(base::Token token, base::Bytes value = "value") {
    std::string data_key, entry;
    storage::EncodeDataKeyTo({kPageKeyspace, token, "key"}, data_key);
    storage::EncodeEntryTo({.version = {5, 1, 1}}, value, entry);
    storage::Batch batch;
    batch.Put(storage::Family::kData, data_key, entry);
    Write(batch);
  }
  void StoreMarks() {
    storage::Batch batch;
    marks.StoreDirty(batch);
    Write(batch);
  }
  void Purge(std::uint16_t bucket, std::uint64_t purged) {
    marks.Purge(kPageKeyspace, bucket, purged);
    StoreMarks();
  }
};

PageRequest PageFrom(base::Token from, base::Token last = kScanEnd) {
  return {kPageKeyspace, from, {}, last, 4096};
}

std::vector<PurgedRun> RunsTold(const ScanPage& page, std::uint16_t first) {
  REQUIRE(page.page.status.ok());
  const auto runs = purge::DecodeRuns(page.purged, first);
  REQUIRE(runs.has_value());
  return *runs;
}

TEST_SUITE("server/scan_page") {
  TEST_CASE("of the buckets that a page has come to, it has the marks") {
    MarkedStore store;
    store.Put(base::FirstToken(3), std::string(3000, 'x'));
    store.Put(base::FirstToken(300), std::string(3000, 'y'));
    store.marks.Purge(kPageKeyspace + 1, 3, 99);  // Another keyspace's.
    store.StoreMarks();
    EXPECT(RunsTold(ReadScanPage(store.engine, PageFrom(0)), 0).empty());

    store.Purge(2, 60);
    store.Purge(3, 70);
    store.Purge(258, 80);  // Of the slice of bucket 2.
    const ScanPage first = ReadScanPage(store.engine, PageFrom(0));
    EXPECT(!first.page.done);
    EXPECT(RunsTold(first, 0) == std::vector<PurgedRun>{{2, 0}, {1, 60}, {1, 70}});
    const ScanPage second = ReadScanPage(store.engine, PageFrom(base::FirstToken(4)));
    EXPECT(second.page.done);
    EXPECT(second.told_upto == 0);
    EXPECT(RunsTold(second, 4) == std::vector<PurgedRun>{{254, 0}, {1, 80}, {65277, 0}});
    const ScanPage one =
        ReadScanPage(store.engine, PageFrom(base::FirstToken(3), base::LastToken(3)));
    EXPECT(RunsTold(one, 3) == std::vector<PurgedRun>{{1, 70}});
  }

  TEST_CASE("law: whatever buckets a page has, it tells the marks that they have") {
    MarkedStore store;
    for (const std::uint32_t bucket : {0U, 1U, 254U, 255U, 256U, 300U, 511U, 65000U, 65535U})
      store.marks.Purge(kPageKeyspace, static_cast<std::uint16_t>(bucket), bucket + 1);
    store.StoreMarks();
    for (const std::uint32_t from : {0U, 1U, 250U, 255U, 256U, 301U, 65000U, 65535U}) {
      for (const std::uint32_t buckets : {1U, 2U, 5U, 46U, 255U, 256U, 257U, 65536U}) {
        const auto first = static_cast<std::uint16_t>(from);
        const auto last = static_cast<std::uint16_t>(std::min(from + buckets - 1, 65535U));
        const ScanPage page =
            ReadScanPage(store.engine, PageFrom(base::FirstToken(first), base::LastToken(last)));
        const auto runs = RunsTold(page, first);
        // No marks at all are none of 0.
        if (runs.empty()) continue;
        EXPECT(runs == purge::RunsOf(store.marks, kPageKeyspace, first, last));
      }
    }
  }

  // Else a value that a repair brought meanwhile would count as deleted.
  TEST_CASE("marks that rise while a page is read are not told with it") {
    MarkedStore store;
    store.Put(base::FirstToken(3));
    store.Purge(3, 70);
    UnreadableEngine engine(store.engine);
    engine.unreadable = [&](base::Bytes) {
      store.Purge(3, 90);
      return false;
    };
    EXPECT(RunsTold(ReadScanPage(engine, PageFrom(0, base::LastToken(3))), 0) ==
           std::vector<PurgedRun>{{3, 0}, {1, 70}});
    EXPECT(RunsTold(ReadScanPage(engine, PageFrom(0, base::LastToken(3))), 0) ==
           std::vector<PurgedRun>{{3, 0}, {1, 90}});
  }

  TEST_CASE("a page of more marks than may be told ends before them, with entries or without") {
    MarkedStore store;
    for (std::uint32_t bucket = 0; bucket < base::kBuckets; bucket += 2)
      store.marks.Purge(kPageKeyspace, static_cast<std::uint16_t>(bucket), 1 + bucket);
    store.StoreMarks();
    constexpr std::uint32_t kMost = purge::kPurgedRunsMax;
    store.Put(base::FirstToken(5));
    store.Put(base::FirstToken(kMost));
    store.Put(base::FirstToken(3 * kMost));
    std::vector<PurgedRun> told;
    std::uint64_t entries = 0;
    int pages = 0;
    for (base::Token from = 0;;) {
      REQUIRE(++pages <= 16);
      const ScanPage page = ReadScanPage(store.engine, PageFrom(from));
      const auto runs = RunsTold(page, base::BucketOf(from));
      EXPECT(runs.size() == kMost);
      told.insert(told.end(), runs.begin(), runs.end());
      entries += page.page.entries;
      EXPECT(page.page.done == (page.told_upto == 0));
      if (page.page.done) break;
      EXPECT(page.told_upto == base::LastToken(static_cast<std::uint16_t>(told.size() - 1)));
      from = page.told_upto + 1;
    }
    EXPECT(pages == 16);
    EXPECT(entries == 3);
    EXPECT(told == purge::RunsOf(store.marks, kPageKeyspace, 0, 65535, base::kBuckets));
  }

  TEST_CASE("a record of marks that is damaged fails the page") {
    MarkedStore store;
    store.Put(base::FirstToken(3));
    storage::Batch batch;
    batch.Put(storage::Family::kMeta, purge::Marks::KeyspacePrefix(kPageKeyspace) + '\x03',
              "damaged");
    store.Write(batch);
    EXPECT(ReadScanPage(store.engine, PageFrom(0)).page.status.code() == base::Code::kCorruption);
  }
}

}  // namespace
}  // namespace starling::server
