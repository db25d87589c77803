// Goal:   what cannot be read is neither removed nor silently passed over, whether purge or
//         adoption looks, and hides nothing behind it.
// Method: a bucket with a tombstone on each side of a record that is no entry.
#include "server/purge_scan.h"

#include <memory>
#include <string>

#include "base/bytes.h"
#include "server/entry_page.h"
#include "server/purge/rules.h"
#include "storage/memory_engine.h"
#include "tests/test.h"

namespace starling::server {
namespace {

constexpr base::KeyspaceId kScanned = 1;
constexpr std::uint16_t kBucket = 7;
constexpr std::int64_t kWrittenMs = 1'000'000;

TEST_SUITE("server/purge_scan") {
  TEST_CASE("an entry that cannot be read stays and is told of") {
    storage::MemoryEngine engine(std::make_shared<storage::MemoryDisk>());
    storage::Batch batch;
    const base::Token first = base::FirstToken(kBucket);
    for (const int i : {0, 1, 2}) {
      std::string key, entry;
      storage::EncodeDataKeyTo({kScanned, first + i, "key"}, key);
      storage::EncodeEntryTo({.version = {static_cast<std::uint64_t>(kWrittenMs) << 16, 1, 7},
                              .flags = storage::kFlagTombstone},
                             {}, entry);
      batch.Put(storage::Family::kData, key, i == 1 ? "no entry" : entry);
    }
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(engine.Write(batches, storage::Sync::kNo).ok());
    const std::uint64_t horizon = purge::HorizonAt(kWrittenMs + 60'000, 0);

    const DeadPage dead = FindDead(engine, kScanned, kBucket, {}, horizon, 10, kWrittenMs);
    EXPECT(dead.status.ok());
    EXPECT(dead.done);
    REQUIRE(dead.found.size() == 2);
    EXPECT(dead.found[1].token == first + 2);
    EXPECT(dead.unreadable.code() == base::Code::kCorruption);

    const ExtraPage extras = FindExtras(engine, {kScanned, kBucket, {}, {}}, {}, horizon, 1 << 20);
    EXPECT(extras.status.ok());
    EXPECT(extras.whole);
    EXPECT(extras.found.size() == 2);
    EXPECT(extras.unreadable.code() == base::Code::kCorruption);
  }

  TEST_CASE("an extra in whose place the peer has something older hides that") {
    for (const std::uint64_t peers : {5, 10, 15, 0}) {
      storage::MemoryEngine engine(std::make_shared<storage::MemoryDisk>());
      const base::Token token = base::FirstToken(kBucket);
      std::string key, entry, names;
      storage::EncodeDataKeyTo({kScanned, token, "key"}, key);
      storage::EncodeEntryTo({.version = {10, 1, 7}, .flags = storage::kFlagTombstone}, {}, entry);
      storage::Batch batch;
      batch.Put(storage::Family::kData, key, entry);
      const storage::Batch* const batches[] = {&batch};
      REQUIRE(engine.Write(batches, storage::Sync::kNo).ok());
      if (peers != 0) {
        names.resize(kSummaryRecordBytes);
        base::StoreLittle(names.data(), token);
        base::Version{peers, 1, 7}.StoreTo(names.data() + 8);
      }
      const ExtraPage extras = FindExtras(engine, {kScanned, kBucket, {}, {}}, names, 20, 1 << 20);
      EXPECT(extras.found.size() == (peers == 10 ? 0 : 1));
      EXPECT(extras.owed == (peers == 5));
    }
  }
}

}  // namespace
}  // namespace starling::server
