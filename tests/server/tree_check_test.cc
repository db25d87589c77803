// Goal:   a tree that is not what its entries add up to is told, bucket by bucket, whatever is
// wrong;
//         one that is, is sound.
// Method: entries and leaves written by hand into RocksDB and into the engine in memory; damage of
//         each kind; blocks of a table overwritten.
#include "server/tree_check.h"

#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "storage/memory_engine.h"
#include "storage/rocksdb/rocksdb_engine.h"
#include "tests/storage/temp_directory.h"
#include "tests/test.h"

namespace starling::server {
namespace {

using storage::Batch;
using storage::Family;

constexpr std::uint64_t kSeed = 7;
constexpr base::KeyspaceId kSpace = 3, kOther = 4;

void Commit(storage::Engine& engine, const Batch& batch) {
  const Batch* const batches[] = {&batch};
  REQUIRE(engine.Write(batches, storage::Sync::kYes).ok());
}

std::string StoredKey(base::KeyspaceId keyspace, const std::string& key) {
  std::string stored;
  storage::EncodeDataKeyTo({keyspace, base::TokenOf(key, kSeed), key}, stored);
  return stored;
}

std::string KeyOf(int number) { return "key" + std::to_string(number); }

// Entries of some keyspace, and the leaves that they add up to.
void Fill(storage::Engine& engine, base::KeyspaceId keyspace, int entries,
          std::size_t value_bytes = 20) {
  merkle::Tree tree(keyspace);
  Batch batch;
  base::Random random(keyspace);
  for (int i = 0; i < entries; ++i) {
    const std::string key = KeyOf(i);
    std::string value;
    while (value.size() < value_bytes) base::AppendLittle(value, random.Next());
    const storage::EntryHeader header{.version = {1000ULL + static_cast<std::uint64_t>(i), 1, 1},
                                      .value_digest = storage::ValueDigest(value)};
    storage::EncodeEntryTo(header, value, batch.BeginPut(Family::kData, StoredKey(keyspace, key)));
    batch.EndPut();
    tree.Add(base::BucketOf(base::TokenOf(key, kSeed)),
             merkle::DigestOf(key, {header.version, 0, 0, header.value_digest}, kSeed));
  }
  for (const std::uint16_t bucket : tree.dirty())
    batch.Put(Family::kTree, merkle::LeafKey(keyspace, bucket),
              merkle::EncodeLeaf(tree.Leaf(bucket)));
  Commit(engine, batch);
}

TreeCheckReport Check(storage::Engine& engine, bool values = false,
                      base::KeyspaceId keyspace = TreeCheckOptions::kAllKeyspaces,
                      std::uint64_t step = 1 << 20) {
  TreeCheck check(engine, {.keyspace = keyspace, .digest_seed = kSeed, .values = values});
  REQUIRE(check.Load().ok());
  int steps = 0;
  while (!check.Step(step)) REQUIRE(++steps < 100'000);
  return check.report();
}

std::uint16_t BucketOfKey(int number) {
  return base::BucketOf(base::TokenOf(KeyOf(number), kSeed));
}

TEST_SUITE("server/tree_check") {
  TEST_CASE("how many entries there are is known before the first is read") {
    storage::MemoryEngine engine(std::make_shared<storage::MemoryDisk>());
    Fill(engine, kSpace, 500);
    Fill(engine, kOther, 20);
    TreeCheck check(engine, {.digest_seed = kSeed});
    REQUIRE(check.Load().ok());
    EXPECT(check.entries() == 520);
    EXPECT(check.entries_read() == 0);
    REQUIRE(!check.Step(1000));
    EXPECT(check.entries_read() > 0);
    EXPECT(check.entries_read() < 50);
    while (!check.Step(1 << 20)) {
    }
    EXPECT(check.entries_read() == 520);
    TreeCheck one(engine, {.keyspace = kOther, .digest_seed = kSeed});
    REQUIRE(one.Load().ok());
    EXPECT(one.entries() == 20);
  }

  TEST_CASE("a tree that its entries add up to is sound, and all of them are counted") {
    storage::MemoryEngine engine(std::make_shared<storage::MemoryDisk>());
    Fill(engine, kSpace, 500);
    Fill(engine, kOther, 20);
    const TreeCheckReport report = Check(engine, true);
    EXPECT(report.sound());
    EXPECT(report.first_problem.empty());
    EXPECT(report.keyspaces.at(kSpace).entries == 500);
    EXPECT(report.keyspaces.at(kOther).entries == 20);
  }

  TEST_CASE("how large the steps are makes no difference") {
    storage::MemoryEngine engine(std::make_shared<storage::MemoryDisk>());
    Fill(engine, kSpace, 300);
    const TreeCheckReport whole = Check(engine), slow = Check(engine, false, 0, 1);
    EXPECT(slow.sound());
    EXPECT(slow.keyspaces.at(kSpace).bytes == whole.keyspaces.at(kSpace).bytes);
  }

  TEST_CASE("a leaf that was changed, one that is missing, and one too many are named") {
    storage::MemoryEngine engine(std::make_shared<storage::MemoryDisk>());
    Fill(engine, kSpace, 50);
    Batch batch;
    SUBCASE("changed") {
      batch.Put(Family::kTree, merkle::LeafKey(kSpace, BucketOfKey(7)),
                merkle::EncodeLeaf({1, 2, 3}));
    }
    SUBCASE("missing") { batch.Delete(Family::kTree, merkle::LeafKey(kSpace, BucketOfKey(7))); }
    SUBCASE("of an entry that is gone") {
      batch.Delete(Family::kData, StoredKey(kSpace, KeyOf(7)));
    }
    Commit(engine, batch);
    const TreeCheckReport report = Check(engine);
    EXPECT(!report.sound());
    EXPECT(report.keyspaces.at(kSpace).wrong_buckets == 1);
    EXPECT(report.keyspaces.at(kSpace).first_wrong == std::vector<std::uint16_t>{BucketOfKey(7)});
  }

  TEST_CASE("only the keyspace that is asked for is looked at") {
    storage::MemoryEngine engine(std::make_shared<storage::MemoryDisk>());
    Fill(engine, kSpace, 50);
    Fill(engine, kOther, 50);
    Batch batch;
    batch.Delete(Family::kTree, merkle::LeafKey(kOther, BucketOfKey(7)));
    Commit(engine, batch);
    EXPECT(Check(engine, false, kSpace).sound());
    EXPECT(Check(engine, false, kSpace).keyspaces.size() == 1);
    EXPECT(!Check(engine, false, kOther).sound());
    EXPECT(!Check(engine).sound());
  }

  TEST_CASE("a value that is not its digest's shows only when values are checked") {
    storage::MemoryEngine engine(std::make_shared<storage::MemoryDisk>());
    Fill(engine, kSpace, 50);
    const std::string key = StoredKey(kSpace, KeyOf(9));
    std::string entry = *storage::GetOne(engine, Family::kData, key);
    entry.back() = static_cast<char>(entry.back() ^ 1);
    Batch batch;
    batch.Put(Family::kData, key, entry);
    Commit(engine, batch);
    EXPECT(Check(engine).sound());
    const TreeCheckReport report = Check(engine, true);
    EXPECT(report.damaged_entries == 1);
    EXPECT(!report.sound());
    EXPECT(!report.first_problem.empty());
  }

  TEST_CASE("what is no entry counts as damaged, and its leaf as wrong") {
    storage::MemoryEngine engine(std::make_shared<storage::MemoryDisk>());
    Fill(engine, kSpace, 50);
    Batch batch;
    batch.Put(Family::kData, StoredKey(kSpace, KeyOf(9)), "short");
    Commit(engine, batch);
    const TreeCheckReport report = Check(engine);
    EXPECT(report.damaged_entries == 1);
    EXPECT(report.keyspaces.at(kSpace).wrong_buckets == 1);
  }

  TEST_CASE("a leaf that cannot be read fails the check: there is nothing to compare with") {
    storage::MemoryEngine engine(std::make_shared<storage::MemoryDisk>());
    Fill(engine, kSpace, 5);
    Batch batch;
    batch.Put(Family::kTree, merkle::LeafKey(kSpace, 1), "no leaf");
    Commit(engine, batch);
    TreeCheck check(engine, {.digest_seed = kSeed});
    EXPECT(check.Load().code() == base::Code::kCorruption);
  }

  TEST_CASE("an empty engine is sound") {
    storage::MemoryEngine engine(std::make_shared<storage::MemoryDisk>());
    EXPECT(Check(engine, true).sound());
  }

  TEST_CASE("blocks that cannot be read are counted by bucket, and all others are compared") {
    const storage::TempDirectory directory;
    const storage::RocksDbOptions options{
        .directory = directory.path(), .block_cache_bytes = 1 << 20, .memtable_bytes = 8 << 20};
    {
      const auto engine = *storage::RocksDbEngine::Open(options);
      Fill(*engine, kSpace, 2000, 400);
      REQUIRE(engine->Flush().ok());
    }
    int damaged = 0;
    for (const auto& file : std::filesystem::directory_iterator(directory.path())) {
      if (file.path().extension() != ".sst" || file.file_size() < 500'000) continue;
      std::fstream bytes(file.path(), std::ios::binary | std::ios::in | std::ios::out);
      bytes.seekp(400'000);
      bytes.write("damage", 6);
      ++damaged;
    }
    REQUIRE(damaged == 1);
    const auto engine = *storage::RocksDbEngine::Open(options);
    const TreeCheckReport report = Check(*engine);
    EXPECT(!report.sound());
    EXPECT(report.unread_buckets > 0);
    EXPECT(report.keyspaces.at(kSpace).wrong_buckets == 0);
    EXPECT(report.keyspaces.at(kSpace).entries > 1900);
    EXPECT(report.keyspaces.at(kSpace).entries < 2000);
  }
}

}  // namespace
}  // namespace starling::server
