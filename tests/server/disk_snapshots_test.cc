// Goal:   a snapshot is there whole or not at all, says what it holds, and stays when the node goes
//         on.
// Method: take, list and clear on RocksDB in a directory of the test's own.
#include "server/disk_snapshots.h"

#include <filesystem>
#include <fstream>

#include "merkle/tree.h"
#include "server/tree_making.h"
#include "storage/rocksdb/rocksdb_engine.h"
#include "tests/storage/temp_directory.h"
#include "tests/test.h"

namespace starling::server {
namespace {

using storage::Batch;
using storage::Family;

struct NodeOnDisk {
  storage::TempDirectory directory;
  std::unique_ptr<storage::Engine> engine = *storage::RocksDbEngine::Open(
      {.directory = directory.path(), .block_cache_bytes = 1 << 20, .memtable_bytes = 1 << 20});
  DiskSnapshots snapshots{directory.path()};

  void Write(base::Bytes key, base::Bytes value) {
    Batch batch;
    batch.Put(Family::kData, key, value);
    const Batch* batches[] = {&batch};
    REQUIRE(engine->Write(batches, storage::Sync::kYes).ok());
  }
  void WriteLeaf(base::KeyspaceId keyspace, std::uint16_t bucket, const merkle::Digest& leaf) {
    Batch batch;
    batch.Put(Family::kTree, merkle::LeafKey(keyspace, bucket), merkle::EncodeLeaf(leaf));
    const Batch* batches[] = {&batch};
    REQUIRE(engine->Write(batches, storage::Sync::kYes).ok());
  }
};

SnapshotManifest Facts(const std::string& name) {
  SnapshotManifest facts{.name = name, .created_ms = 1, .cluster_name = "orders", .epoch = 3};
  facts.node.cluster = *base::ParseAddress("127.0.0.1:7700");
  facts.keyspaces.push_back({.id = 1, .name = "default", .replication = "simple:3"});
  return facts;
}

TEST_SUITE("server/disk_snapshots") {
  TEST_CASE("its digest is that of the tree, of its own keyspaces") {
    NodeOnDisk node;
    node.WriteLeaf(1, 0, {2, 10, 1});
    node.WriteLeaf(1, 65535, {3, 20, 2});
    node.WriteLeaf(9, 7, {100, 100, 100});  // Of a keyspace that is not in the manifest.
    const auto taken = node.snapshots.Take(*node.engine, Facts("one"));
    const std::string outcome = taken ? "taken" : taken.error().ToString();
    DOCTEST_INFO(outcome);
    REQUIRE(taken.has_value());
    EXPECT(taken->keyspaces[0].digest == merkle::Digest{5, 30, 3});
    const auto read = ReadManifest(node.snapshots.root() + "/one");
    REQUIRE(read.has_value());
    EXPECT(ToJson(*read) == ToJson(*taken));
  }

  TEST_CASE("none is taken while its digest would say nothing") {
    NodeOnDisk node;
    storage::Batch batch;
    batch.Put(storage::Family::kMeta, TreeMaking::RecordKey(7),
              TreeMaking::RecordOf(DamagedEntries::kKeep));
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(node.engine->Write(batches, storage::Sync::kYes).ok());
    EXPECT(node.snapshots.Take(*node.engine, Facts("one")).error().code() ==
           base::Code::kFailedPrecondition);
    EXPECT(node.snapshots.List()->empty());
  }

  TEST_CASE("listed by name, with the room that it takes; gone when cleared") {
    NodeOnDisk node;
    for (int i = 0; i < 1000; ++i) node.Write("key" + std::to_string(i), std::string(100, 'v'));
    EXPECT(node.snapshots.List()->empty());
    REQUIRE(node.snapshots.Take(*node.engine, Facts("b")).has_value());
    REQUIRE(node.snapshots.Take(*node.engine, Facts("a")).has_value());
    const auto listed = node.snapshots.List();
    REQUIRE(listed.has_value());
    REQUIRE(listed->size() == 2);
    EXPECT((*listed)[0].name == "a");
    EXPECT((*listed)[1].manifest.epoch == 3);
    EXPECT((*listed)[1].bytes > (*listed)[1].bytes_not_shared);
    EXPECT(node.snapshots.Clear("a").ok());
    EXPECT(node.snapshots.List()->size() == 1);
    EXPECT(node.snapshots.Clear("a").code() == base::Code::kNotFound);
  }

  TEST_CASE("a name is taken once, and none leads out of the directory") {
    NodeOnDisk node;
    REQUIRE(node.snapshots.Take(*node.engine, Facts("one")).has_value());
    EXPECT(node.snapshots.Take(*node.engine, Facts("one")).error().code() ==
           base::Code::kAlreadyExists);
    for (const char* name : {"", ".", "..", "../x", "a/b", ".unfinished", "-x", "a b"}) {
      DOCTEST_INFO(name);
      EXPECT(node.snapshots.Take(*node.engine, Facts(name)).error().code() ==
             base::Code::kInvalidArgument);
      EXPECT(node.snapshots.Clear(name).code() == base::Code::kInvalidArgument);
    }
    EXPECT(std::filesystem::exists(node.directory.path() + "/CURRENT"));
  }

  TEST_CASE("what a death left half made is not listed, and is in nobody's way") {
    NodeOnDisk node;
    std::filesystem::create_directories(node.snapshots.root() + "/.unfinished");
    std::ofstream(node.snapshots.root() + "/.unfinished/CURRENT") << "half";
    EXPECT(node.snapshots.List()->empty());
    EXPECT(node.snapshots.Take(*node.engine, Facts("one")).has_value());
    EXPECT(node.snapshots.List()->size() == 1);
    EXPECT(!std::filesystem::exists(node.snapshots.root() + "/.unfinished"));
  }

  TEST_CASE("and goes on request, with what RocksDB left") {
    NodeOnDisk node;
    EXPECT(node.snapshots.RemoveUnfinished().ok());  // None was ever taken.
    REQUIRE(node.snapshots.Take(*node.engine, Facts("one")).has_value());
    const std::string unfinished = node.snapshots.root() + "/.unfinished";
    for (const std::string& left : {unfinished, unfinished + ".tmp"}) {
      std::filesystem::create_directories(left);
      std::ofstream(left + "/000007.sst") << "half";
    }
    EXPECT(node.snapshots.RemoveUnfinished().ok());
    EXPECT(!std::filesystem::exists(unfinished));
    EXPECT(!std::filesystem::exists(unfinished + ".tmp"));
    EXPECT(node.snapshots.List()->size() == 1);
  }

  TEST_CASE("one whose manifest is damaged is listed as such, and can be cleared") {
    NodeOnDisk node;
    REQUIRE(node.snapshots.Take(*node.engine, Facts("one")).has_value());
    std::ofstream(node.snapshots.root() + "/one/manifest.json") << "{";
    const auto listed = node.snapshots.List();
    REQUIRE(listed->size() == 1);
    EXPECT(!(*listed)[0].problem.empty());
    EXPECT(node.snapshots.Clear("one").ok());
  }
}

}  // namespace
}  // namespace starling::server
