// Goal:   snapshots read as one give each key once, in its newest version, and damage is told.
// Method: directories of real engines with hand-made entries, overlapping in part.
#include "tools/nodetool/snapshot_set.h"

#include <filesystem>
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
  bool damaged = false;  // Its value is not the one its digest was made of.
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
    REQUIRE(engine->Flush().ok());
    std::ofstream(path() + "/" + server::kManifestFile) << ToJson(manifest);
  }
  const std::string& path() const { return directory_.path(); }

  // One byte in the middle of its largest table.
  void DamageTable() const {
    std::filesystem::path largest;
    for (const auto& file : std::filesystem::directory_iterator(path()))
      if (file.path().extension() == ".sst" &&
          (largest.empty() || file.file_size() > std::filesystem::file_size(largest)))
        largest = file.path();
    std::fstream table(largest, std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(largest) / 3);
    table.seekg(middle);
    const auto byte = static_cast<char>(table.get() ^ 0x10);
    table.seekp(middle);
    table.put(byte);
  }

 private:
  static merkle::Digest Write(storage::Engine& engine, const Written& written) {
    storage::EntryHeader header;
    header.version = base::Version{written.timestamp, 1, 1};
    header.value_digest = storage::ValueDigest(written.value);
    if (written.value.empty()) header.flags = storage::kFlagTombstone;
    std::string key, value;
    storage::EncodeDataKeyTo({kKeyspace, base::TokenOf(written.key, kSeed), written.key}, key);
    storage::EncodeEntryTo(header, written.value, value);
    if (written.damaged) value.back() ^= 1;
    storage::Batch batch;
    batch.Put(Family::kData, key, value);
    const storage::Batch* batches[] = {&batch};
    REQUIRE(engine.Write(batches, storage::Sync::kYes).ok());
    return merkle::DigestOf(written.key, {header.version, header.flags, 0, header.value_digest},
                            kSeed);
  }

  storage::TempDirectory directory_;
};

std::unique_ptr<SnapshotSet> OpenAll(const std::vector<std::string>& directories,
                                     server::Damaged damaged = server::Damaged::kRefuse) {
  auto set = SnapshotSet::Open(directories, damaged);
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

  TEST_CASE("a damaged entry ends a walk; with damage skipped another snapshot has it, or nobody") {
    const HandMade a({{"x", "1", 1, true}, {"y", "2", 2, true}, {"z", "3"}}, {{0, 65535}});
    const HandMade b({{"x", "1", 1}}, {{0, 65535}});
    const auto set = OpenAll({a.path(), b.path()});
    EXPECT(set->Verify(NoProgress).code() == base::Code::kCorruption);
    const auto refused = set->Walk("default");
    while (refused->Valid()) refused->Next();
    EXPECT(refused->status().code() == base::Code::kCorruption);
    EXPECT(refused->status().message().find(a.path()) != std::string::npos);

    const auto skipping = OpenAll({a.path(), b.path()}, server::Damaged::kSkip);
    EXPECT(All(*skipping) == std::map<std::string, std::string>{{"x", "1"}, {"z", "3"}});
    const auto entries = skipping->Walk("default");
    while (entries->Valid()) entries->Next();
    EXPECT(entries->skipped().entries == 2);
    EXPECT(entries->skipped().gaps == 0);
    EXPECT(entries->skipped().first.find(a.path()) != std::string::npos);
  }

  TEST_CASE("a block that can't be read ends a walk, or is leapt over") {
    std::vector<Written> many;
    for (int i = 0; i < 2000; ++i)
      many.push_back({"key" + std::to_string(i), std::string(50, 'v')});
    const HandMade whole(many, {{0, 65535}});
    whole.DamageTable();
    EXPECT(OpenAll({whole.path()})->Verify(NoProgress).code() == base::Code::kCorruption);
    const auto set = OpenAll({whole.path()}, server::Damaged::kSkip);
    const auto found = All(*set);
    EXPECT(found.size() > 1000);
    EXPECT(found.size() < many.size());
    const auto entries = set->Walk("default");
    while (entries->Valid()) entries->Next();
    EXPECT(entries->skipped().gaps == 1);
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
