// Goal:   a start leaves nothing but pages of what was stored of trees, whoever stored it and
//         wherever it is cut off; and what cannot be trusted is made anew instead.
// Method: trees whose journals several workers wrote, and leaves as builds before the journal had
//         them, on the engine in memory, which loses what a cut-off start had not synced.
#include "server/stored_trees.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "server/tree_making.h"
#include "server/tree_rebuild.h"
#include "storage/memory_engine.h"
#include "tests/test.h"

namespace starling::server {
namespace {

using storage::Family;

base::Status WriteOne(storage::Engine& engine, const storage::Batch& batch,
                      storage::Sync sync = storage::Sync::kYes) {
  const storage::Batch* const batches[] = {&batch};
  return engine.Write(batches, sync);
}

// A node's disk, and what its trees should be.
struct NodeDisk {
  std::shared_ptr<storage::MemoryDisk> disk = std::make_shared<storage::MemoryDisk>();
  std::unique_ptr<storage::MemoryEngine> engine = std::make_unique<storage::MemoryEngine>(disk);
  merkle::StoredTrees expected;
  base::Random random{7};

  // A life with so many workers, which change leaves at random.
  void Live(unsigned workers, int turns) {
    std::vector<std::map<base::KeyspaceId, merkle::Tree>> trees(workers);
    std::vector<std::unique_ptr<merkle::Journal>> journals;
    for (unsigned i = 0; i < workers; ++i)
      journals.push_back(std::make_unique<merkle::Journal>(
          merkle::JournalOptions{.stream = static_cast<std::uint16_t>(i),
                                 .lap_bytes_min = 700,
                                 .lap_bytes_max = 700,
                                 .slots_max = 12}));
    ForEachExpected(
        [&](base::KeyspaceId keyspace, std::uint16_t bucket, const merkle::Digest& leaf) {
          const unsigned worker = base::WorkerOf(bucket, workers);
          trees[worker].try_emplace(keyspace, keyspace).first->second.Load(bucket, leaf);
        });
    for (int turn = 0; turn < turns; ++turn) {
      storage::Batch batch;
      TreeSink sink(batch);
      const auto keyspace = static_cast<base::KeyspaceId>(1 + random.Below(2));
      const auto bucket = base::BucketAt(static_cast<std::uint8_t>(random.Below(9)),
                                         static_cast<std::uint8_t>(random.Below(2)));
      const merkle::Digest entry{1, random.Next(), random.Next()};
      const unsigned worker = base::WorkerOf(bucket, workers);
      merkle::Tree& tree = trees[worker].try_emplace(keyspace, keyspace).first->second;
      tree.Add(bucket, entry);
      expected.TreeOf(keyspace).Add(bucket, entry);
      journals[worker]->Take(tree);
      journals[worker]->EndTurn(sink);
      REQUIRE(WriteOne(*engine, batch).ok());
    }
  }
  // What a build before the journal would have stored of the same.
  void StoreAsLeaves() {
    storage::Batch batch;
    ForEachExpected(
        [&](base::KeyspaceId keyspace, std::uint16_t bucket, const merkle::Digest& leaf) {
          batch.Put(Family::kTree, merkle::LeafKey(keyspace, bucket), merkle::EncodeLeaf(leaf));
        });
    REQUIRE(WriteOne(*engine, batch).ok());
  }
  std::map<std::size_t, std::size_t> RecordsByKeySize() const {
    std::map<std::size_t, std::size_t> records;
    const auto cursor = engine->Scan(Family::kTree, {}, {});
    for (cursor->Seek({}); cursor->Valid(); cursor->Next()) ++records[cursor->key().size()];
    return records;
  }
  bool HoldsExpected() {
    auto stored = ReadTrees(*engine);
    if (!stored) return false;
    bool same = true;
    merkle::Digest rest;  // What is stored and not expected.
    ForEachExpected(
        [&](base::KeyspaceId keyspace, std::uint16_t bucket, const merkle::Digest& leaf) {
          same = same && stored->TreeOf(keyspace).Leaf(bucket) == leaf;
          rest -= leaf;
        });
    for (const auto& [keyspace, tree] : stored->trees())
      rest += tree->Sum(merkle::BucketSet::All());
    return same && rest.empty();
  }
  template <typename Visit>
  void ForEachExpected(Visit&& visit) const {
    for (const auto& each : expected.trees())
      each.second->ForEachLeaf([&](std::uint16_t bucket, const merkle::Digest& leaf) {
        visit(each.first, bucket, leaf);
      });
  }
  bool OnlyPages() const {
    const auto records = RecordsByKeySize();
    return records.size() == 1 && records.contains(merkle::kPageKeyBytes);
  }
  // The key of the record of the journal with the highest number but one.
  std::string SomeNeededKey() const {
    std::map<std::uint64_t, std::string> keys;
    const auto cursor = engine->Scan(Family::kTree, {}, {});
    for (cursor->Seek({}); cursor->Valid(); cursor->Next())
      if (cursor->key().size() == merkle::kJournalKeyBytes)
        keys[merkle::JournalHeader::Decode(cursor->value())->number] = cursor->key();
    REQUIRE(keys.size() >= 2);
    return std::next(keys.rbegin())->second;
  }
};

TEST_SUITE("server/stored_trees") {
  TEST_CASE("a start leaves nothing but pages, of journals of any number of workers") {
    NodeDisk node;
    for (const unsigned workers : {3u, 1u, 4u, 2u}) {
      node.Live(workers, 60);
      REQUIRE(node.HoldsExpected());
      REQUIRE(!node.OnlyPages());
      REQUIRE(FoldTrees(*node.engine).ok());
      EXPECT(node.OnlyPages());
      EXPECT(node.HoldsExpected());
    }
    EXPECT(CheckTreesMade(*node.engine).ok());
  }

  TEST_CASE("leaves that an earlier version stored become pages") {
    NodeDisk node;
    node.Live(1, 40);
    node.engine = std::make_unique<storage::MemoryEngine>(
        node.disk = std::make_shared<storage::MemoryDisk>());
    node.StoreAsLeaves();
    REQUIRE(node.HoldsExpected());
    REQUIRE(FoldTrees(*node.engine).ok());
    EXPECT(node.OnlyPages());
    EXPECT(node.HoldsExpected());
    EXPECT(CheckTreesMade(*node.engine).ok());
  }

  TEST_CASE("cut off anywhere, it is done again to the same end") {
    NodeDisk node;
    constexpr std::size_t kBytes = 8000;  // A page and some keys.
    node.Live(2, 100);
    for (std::uint16_t bucket = 0; bucket < 3000; ++bucket)
      node.expected.TreeOf(1).Add(bucket, {1, bucket, 3});
    node.StoreAsLeaves();  // Both: leaves are the later ones.
    REQUIRE(node.HoldsExpected());
    const std::shared_ptr<storage::MemoryDisk> before = node.disk->Copy();
    std::size_t writes = 0;
    {
      storage::MemoryEngine probe(node.disk);
      node.disk->FailSyncs(base::Io("cut off"));
      REQUIRE(!FoldTrees(probe, kBytes).ok());
      writes = node.disk->unsynced_writes();
    }
    REQUIRE(writes >= 100);
    for (std::size_t kept = 0; kept <= writes; kept += 7) {
      node.disk = before->Copy();
      node.disk->FailSyncs(base::Io("cut off"));
      node.engine = std::make_unique<storage::MemoryEngine>(node.disk);
      REQUIRE(!FoldTrees(*node.engine, kBytes).ok());
      node.engine.reset();
      node.disk->Crash(kept);
      node.disk->FailSyncs(base::Ok());
      node.engine = std::make_unique<storage::MemoryEngine>(node.disk);
      EXPECT(node.HoldsExpected());
      REQUIRE(FoldTrees(*node.engine).ok());
      EXPECT(node.OnlyPages());
      EXPECT(node.HoldsExpected());
    }
  }

  TEST_CASE("trees whose journal has a gap, or no sense, are made anew") {
    NodeDisk node;
    node.Live(1, 60);
    storage::Batch batch;
    SUBCASE("gap") { batch.Delete(Family::kTree, node.SomeNeededKey()); }
    SUBCASE("a record of the journal cut off") {
      batch.Put(Family::kTree, node.SomeNeededKey(), "cut off");
    }
    SUBCASE("a page cut off") { batch.Put(Family::kTree, merkle::PageKey({1, 3}), "cut off"); }
    SUBCASE("a key of no record") { batch.Put(Family::kTree, "no record's", "value"); }
    // What is told of a slice that is to be made already, stays.
    batch.Put(Family::kMeta, TreeMaking::RecordKey(5), TreeMaking::RecordOf(DamagedEntries::kDrop));
    REQUIRE(WriteOne(*node.engine, batch).ok());
    REQUIRE(!node.HoldsExpected());
    REQUIRE(FoldTrees(*node.engine).ok());
    EXPECT(node.RecordsByKeySize().empty());
    for (std::uint32_t slice = 0; slice < base::kSlices; ++slice) {
      const auto record = storage::GetOne(*node.engine, Family::kMeta,
                                          TreeMaking::RecordKey(static_cast<std::uint8_t>(slice)));
      REQUIRE(record.has_value());
      EXPECT(*record ==
             TreeMaking::RecordOf(slice == 5 ? DamagedEntries::kDrop : DamagedEntries::kKeep));
    }
    EXPECT(FoldTrees(*node.engine).ok());
  }

  TEST_CASE("where all trees are to be made anyway, nothing of the stored ones is looked at") {
    NodeDisk node;
    node.Live(1, 60);
    storage::Batch batch;
    UnmakeTrees(batch, DamagedEntries::kDrop);
    batch.Delete(Family::kTree, node.SomeNeededKey());
    REQUIRE(WriteOne(*node.engine, batch).ok());
    REQUIRE(FoldTrees(*node.engine).ok());
    EXPECT(node.RecordsByKeySize().empty());
    EXPECT(*storage::GetOne(*node.engine, Family::kMeta, TreeMaking::RecordKey(0)) ==
           TreeMaking::RecordOf(DamagedEntries::kDrop));
  }
}

}  // namespace
}  // namespace starling::server
