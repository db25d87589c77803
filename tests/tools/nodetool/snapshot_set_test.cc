// Goal:   snapshots read as one give each key once, in its newest version, and damage is told.
// Method: directories of real engines with hand-made entries, overlapping in part.
#include "tools/nodetool/snapshot_set.h"

#include <fstream>
#include <map>

#include "storage/batch.h"
#include "storage/rocksdb/rocksdb_engine.h"
#include "tests/storage/temp_directory.h"
#include "tests/test.h"

namespace starling::nodetool {
namespace {

using server::BucketRange;
using storage::Family;

constexpr base::KeyspaceId kKeyspace = 1;
constexpr std::uint64_t kSeed = 42;

struct Written {
  std::string key;
  std::string value;
  std::uint64_t timestamp = 1;
};

// A snapshot made by hand. The digest in its manifest is right but for `digest_error`.
class HandMade {
 public:
  HandMade(const std::vector<Written>& entries, std::vector<BucketRange> ranges,
           std::uint64_t digest_error = 0, base::HostId cluster = {1, 1}) {
    server::SnapshotManifest manifest{
        .name = "s", .cluster_name = "orders", .cluster_id = cluster, .token_seed = kSeed};
    manifest.node.host = {2, 2};
    manifest.node.cluster = *base::ParseAddress("127.0.0.1:7700");
    manifest.keyspaces.push_back({.id = kKeyspace,
                                  .name = "default",
                                  .replication = "simple:3",
                                  .ranges = std::move(ranges),
                                  .digest = {0, digest_error, 0}});
    auto engine = *storage::RocksDbEngine::Open(
        {.directory = path(), .block_cache_bytes = 1 << 20, .memtable_bytes = 1 << 20});
    for (const Written& each : entries) manifest.keyspaces[0].digest += Write(*engine, each);
    std::ofstream(path() + "/" + server::kManifestFile) << ToJson(manifest);
  }
  const std::string& path() const { return directory_.path(); }

 private:
  static merkle::Digest Write(storage::Engine& engine, const Written& written) {
    storage::EntryHeader header;
    header.version = base::Version{written.timestamp, 1, 1};
    header.value_digest = storage::ValueDigest(written.value);
    if (written.value.empty()) header.flags = storage::kFlagTombstone;
    std::string key, value;
    storage::EncodeDataKeyTo({kKeyspace, base::TokenOf(written.key, kSeed), written.key}, key);
    storage::EncodeEntryTo(header, written.value, value);
    storage::Batch batch;
    batch.Put(Family::kData, key, value);
    const storage::Batch* batches[] = {&batch};
    REQUIRE(engine.Write(batches, storage::Sync::kYes).ok());
    return merkle::DigestOf(written.key, {header.version, header.flags, 0, header.value_digest},
                            kSeed);
  }

  storage::TempDirectory directory_;
};

std::unique_ptr<SnapshotSet> OpenAll(const std::vector<std::string>& directories) {
  auto set = SnapshotSet::Open(directories);
  const std::string outcome = set ? "opened" : set.error().ToString();
  DOCTEST_INFO(outcome);
  REQUIRE(set.has_value());
  return *std::move(set);
}

std::map<std::string, std::string> All(const SnapshotSet& set) {
  std::map<std::string, std::string> all;
  const auto entries = set.Walk("default");
  for (; entries->Valid(); entries->Next()) {
    const bool first = all.emplace(entries->key(), entries->entry().value).second;
    EXPECT(first);
  }
  EXPECT(entries->status().ok());
  return all;
}

void NoProgress(std::uint64_t) {}

TEST_SUITE("tools/nodetool/snapshot_set") {
  TEST_CASE("each key once, the newest of all, deletes among them") {
    const HandMade a({{"x", "old", 1}, {"y", "new", 5}, {"only-a", "1"}}, {{0, 65535}});
    const HandMade b({{"x", "new", 2}, {"y", "old", 4}, {"only-b", "2"}}, {{0, 65535}});
    const HandMade c({{"x", "old", 1}, {"y", "", 6}}, {{0, 65535}});
    const std::map<std::string, std::string> expected{
        {"x", "new"}, {"y", ""}, {"only-a", "1"}, {"only-b", "2"}};
    EXPECT(All(*OpenAll({a.path(), b.path(), c.path()})) == expected);
    EXPECT(All(*OpenAll({c.path(), b.path(), a.path()})) == expected);
    EXPECT(OpenAll({a.path(), b.path(), c.path()})->Verify(NoProgress).ok());
  }

  TEST_CASE("what the ranges leave out is told") {
    const HandMade a({}, {{0, 99}});
    const HandMade b({}, {{50, 200}, {300, 65535}});
    EXPECT(OpenAll({a.path()})->Missing("default") == std::vector<BucketRange>{{100, 65535}});
    EXPECT(OpenAll({a.path(), b.path()})->Missing("default") ==
           std::vector<BucketRange>{{201, 299}});
  }

  TEST_CASE("entries that do not add up to the manifest's digest are Corruption, with the name") {
    const HandMade damaged({{"x", "1"}}, {{0, 65535}}, 1);
    const base::Status status = OpenAll({damaged.path()})->Verify(NoProgress);
    EXPECT(status.code() == base::Code::kCorruption);
    EXPECT(status.message().find(damaged.path()) != std::string::npos);
  }

  TEST_CASE("of two clusters, and no snapshot at all: refused by name") {
    const HandMade a({}, {{0, 65535}});
    const HandMade other({}, {{0, 65535}}, 0, {9, 9});
    const auto mixed = SnapshotSet::Open({a.path(), other.path()});
    REQUIRE(!mixed.has_value());
    EXPECT(mixed.error().code() == base::Code::kInvalidArgument);
    EXPECT(mixed.error().message().find(other.path()) != std::string::npos);
    const storage::TempDirectory empty;
    EXPECT(SnapshotSet::Open({empty.path()}).error().code() == base::Code::kNotFound);
  }
}

}  // namespace
}  // namespace starling::nodetool
