// Goal:   a key that may be stored never counts as fresh; those that a pull brings to an empty node
//         do; and a node that began with something knows of none.
// Method: keys of few buckets in random order, against a set of all that was written.
#include "server/fresh_keys.h"

#include <rapidcheck.h>

#include <memory>
#include <set>
#include <string>

#include "base/random.h"
#include "storage/entry.h"
#include "storage/memory_engine.h"
#include "tests/test.h"

namespace starling::server {
namespace {

std::string KeyIn(base::KeyspaceId keyspace, std::uint16_t bucket, std::uint64_t within) {
  std::string key;
  storage::EncodeDataKeyTo({keyspace, base::FirstToken(bucket) + within, "key"}, key);
  return key;
}

TEST_SUITE("server/fresh_keys") {
  TEST_CASE("law: whatever the order, no key that was written counts as fresh") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      FreshKeys fresh(true);
      std::set<std::string> written;
      for (int i = 0; i < 300; ++i) {
        // Two buckets of one slice, and one of another.
        const auto bucket = static_cast<std::uint16_t>(random.Below(3) * 128);
        const std::string key =
            KeyIn(1 + static_cast<base::KeyspaceId>(random.Below(2)), bucket, random.Below(40));
        const bool writes = random.Chance(0.7);
        const bool is_fresh = fresh.Fresh(key, writes);
        RC_ASSERT(!(is_fresh && written.contains(key)));
        if (writes) written.insert(key);
      }
    }));
  }

  TEST_CASE("bucket by bucket and in the order of their keys, all are") {
    FreshKeys fresh(true);
    for (std::uint32_t leaf = 0; leaf < 4; ++leaf)
      for (std::uint64_t within = 0; within < 10; ++within)
        for (const std::uint8_t slice : {std::uint8_t{5}, std::uint8_t{9}}) {
          const std::uint16_t bucket = base::BucketAt(slice, static_cast<std::uint8_t>(leaf));
          EXPECT(fresh.Fresh(KeyIn(1, bucket, within), true));
        }
    EXPECT(!fresh.Fresh(KeyIn(1, base::BucketAt(5, 3), 4), true));
    // One that was left may have anything.
    EXPECT(!fresh.Fresh(KeyIn(1, base::BucketAt(5, 2), 99), true));
    EXPECT(fresh.Fresh(KeyIn(2, base::BucketAt(5, 2), 4), true));
  }

  TEST_CASE("a read begins nothing") {
    FreshKeys fresh(true);
    EXPECT(fresh.Fresh(KeyIn(1, 7, 3), false));
    EXPECT(fresh.Fresh(KeyIn(1, 7, 1), true));
    EXPECT(fresh.Fresh(KeyIn(1, 7, 3), true));
    EXPECT(!fresh.Fresh(KeyIn(1, 7, 3), false));
  }

  TEST_CASE("where something was stored, none is") {
    storage::MemoryEngine engine(std::make_shared<storage::MemoryDisk>());
    EXPECT(HoldsNothing(engine));
    storage::Batch batch;
    batch.Put(storage::Family::kMeta, "boot", "1");
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(engine.Write(batches, storage::Sync::kYes).ok());
    EXPECT(HoldsNothing(engine));
    batch.Put(storage::Family::kData, KeyIn(1, 7, 3), "whatever");
    REQUIRE(engine.Write(batches, storage::Sync::kYes).ok());
    EXPECT(!HoldsNothing(engine));
    EXPECT(!FreshKeys(false).Fresh(KeyIn(1, 7, 3), true));
  }
}

}  // namespace
}  // namespace starling::server
