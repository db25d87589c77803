// Goal:   tables are added all or none, whatever fails on the way; nothing of a failure stays; and
//         what is added is looked after like every other table.
// Method: the nth I/O fails, alone or with all that follow, for each n; then a write, a kill and a
//         power loss. Besides: too little room, a flipped bit, where the tables come to lie.
#include "storage/rocksdb/table_adder.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>

#include "storage/rocksdb/loose_database.h"
#include "tests/storage/added_tables_suite.h"
#include "tests/storage/engine_suite.h"
#include "tests/storage/rocksdb/damage.h"
#include "tests/storage/rocksdb/rocksdb_machine.h"
#include "tests/stride.h"
#include "tests/test.h"

namespace starling::storage {
namespace {

using Cause = UnsyncedFs::Cause;
using Failing = UnsyncedFs::Failing;
namespace fs = std::filesystem;

constexpr std::uint64_t kAddingStepsMax = 200;  // Above what adding does.
using Model = std::map<std::string, std::string>;

enum class Where : std::uint8_t { kApart, kOverStored };

// Two tables of call `n`, apart from what is stored or around "k0003".
std::vector<Entries> TablesAt(Where where, std::uint64_t n = 0) {
  const std::string prefix = where == Where::kApart ? fmt::format("t{:03}-", n) : "k";
  const std::string value = fmt::format("added {}", n);
  return {NumberedEntries(prefix, 0, 10, value), NumberedEntries(prefix, 10, 10, value)};
}

std::size_t FilesToAdd(const std::string& directory) {
  const fs::path folder = fs::path(directory) / kTablesToAdd;
  if (!fs::exists(folder)) return 0;
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

// That of the tables that lie in the directory each is one of the engine's.
void ExpectNothingLeft(Engine& engine, const std::string& directory) {
  EXPECT(FilesToAdd(directory) == 0);
  std::set<std::string> live, lying;
  for (const Table& table : engine.Tables()) live.insert(table.name.substr(1));
  for (const auto& file : fs::directory_iterator(directory))
    if (file.path().extension() == ".sst") lying.insert(file.path().filename().string());
  EXPECT(lying == live);
}

struct Plan {
  Where where = Where::kApart;
  Failing failing = Failing::kOnce;
  Cause cause = Cause::kBroken;
  std::uint64_t step = 1;
};

// A database over calls and failures, and what must be in it.
struct AddingLife {
  std::shared_ptr<UnsyncedFs> file_system = std::make_shared<UnsyncedFs>();
  std::unique_ptr<TempDirectory> directory = std::make_unique<TempDirectory>();
  std::unique_ptr<Engine> engine = Open();
  Model expected{};

  std::unique_ptr<Engine> Open() const {
    return Opened(RocksDbEngine::Open(SmallOptions(directory->path(), file_system)));
  }
  base::Status Put(const std::string& key, const std::string& value) {
    base::Status status = WriteOne(*engine, PutBatch(key, value), Sync::kYes);
    if (status.ok()) expected[key] = value;
    return status;
  }
  // One call in which the nth I/O fails. Whether there was an nth.
  bool AddWithFailureAt(std::uint64_t n, const Plan& plan);
  // By a kill, or a power loss; then it is as `expected`, or as the other.
  void StartAgain(std::uint64_t n, const Model& other);
};

bool AddingLife::AddWithFailureAt(std::uint64_t n, const Plan& plan) {
  REQUIRE(engine->Compact().ok());  // Else RocksDB may begin to by itself, and meet the failure.
  REQUIRE(Put("k0003", fmt::format("before {}", n)).ok());
  const std::vector<Entries> tables = TablesAt(plan.where, n);
  Model with_tables = expected;
  for (const Entries& table : tables)
    for (const auto& [key, value] : table) with_tables[key] = value;

  file_system->FailAt(n, plan.failing, plan.cause);
  const base::Status added = AddTables(*engine, tables);
  const std::string failed_path = file_system->failed_path();
  file_system->StopFailing();
  DOCTEST_INFO("I/O ", n, " at ", failed_path, ": ", added.ToString());
  EXPECT(FilesToAdd(directory->path()) == 0);
  if (failed_path.empty()) EXPECT(added.ok());
  if (!added.ok()) EXPECT(added.code() == base::Code::kIo);
  if (added.ok()) expected = with_tables;
  EXPECT((AllOf(*engine) == expected));

  // It goes on, but for what ends a node anyway: MANIFEST, or a flush, which only the latter needs.
  const base::Status written = Put("z", fmt::format("after {}", n));
  if (!written.ok()) {
    EXPECT(!added.ok());
    EXPECT((failed_path.find("MANIFEST") != std::string::npos || plan.where == Where::kOverStored));
    StartAgain(n, with_tables);
  } else if (n % 8 == 0) {
    StartAgain(n, expected);
  }
  return !failed_path.empty();
}

void AddingLife::StartAgain(std::uint64_t n, const Model& other) {
  if (n % 2 == 0) {
    auto survivors = std::make_unique<TempDirectory>();
    base::Random random(n);
    file_system->SaveSurvivors(directory->path(), survivors->path(), random);
    engine.reset();
    directory = std::move(survivors);
  }
  engine.reset();
  engine = Open();
  const Model found = AllOf(*engine);
  EXPECT((found == expected || found == other));
  expected = found;
  ExpectNothingLeft(*engine, directory->path());
}

void FailEachStep(const Plan& plan) {
  AddingLife life;
  std::uint64_t n = 1;
  while (n < kAddingStepsMax && life.AddWithFailureAt(n, plan)) n += plan.step * Stride();
  EXPECT(n > 10);
  EXPECT(n < kAddingStepsMax);
  life.StartAgain(n, life.expected);
}

// How deep each table of `data` lies; the bottom is 6.
std::vector<int> LevelsOf(const std::string& directory) {
  const RocksDbOptions options = SmallOptions(directory);
  const Files files(options);
  const auto reading = OpenLoosely(options, files, Mode::kRead);
  REQUIRE(reading.has_value());
  std::vector<rocksdb::LiveFileMetaData> tables;
  reading->db->GetLiveFilesMetaData(&tables);
  std::vector<int> levels;
  for (const auto& table : tables)
    if (table.column_family_name == "data") levels.push_back(table.level);
  return levels;
}

TEST_SUITE("storage/rocksdb/table_adder") {
  TEST_CASE("an I/O that fails leaves all tables or none, and an engine that goes on") {
    FailEachStep({});
    FailEachStep({.failing = Failing::kFromThenOn, .cause = Cause::kFull});
  }

  TEST_CASE("so it does where what is stored there is flushed before") {
    FailEachStep({.where = Where::kOverStored, .step = 3});
  }

  TEST_CASE("what a killed process had not added yet is removed by the next start") {
    const TempDirectory directory;
    const std::string folder = fmt::format("{}/{}", directory.path(), kTablesToAdd);
    REQUIRE(AddTables(*OpenSmall(directory.path()), TablesAt(Where::kApart)).ok());
    std::string table;
    for (const auto& file : fs::directory_iterator(directory.path()))
      if (file.path().extension() == ".sst") table = file.path().string();
    std::ofstream(folder + "/7.sst") << "a part of a table";
    fs::create_hard_link(table, folder + "/1.sst");  // Added, and its first name not removed yet.
    const auto engine = OpenSmall(directory.path());
    ExpectNothingLeft(*engine, directory.path());
    REQUIRE(AddTables(*engine, {{{"z", "more"}}}).ok());
    EXPECT(ScanAll(*engine, Family::kData).size() == 21);
  }

  TEST_CASE("where too little room is free it fails, and flushes and writes go on") {
    constexpr std::uint64_t kKeptFree = std::uint64_t{64} << 20;
    const TempDirectory directory;
    const auto file_system = std::make_shared<UnsyncedFs>();
    RocksDbOptions options = SmallOptions(directory.path(), file_system);
    options.keep_free_bytes = kKeptFree;
    const auto engine = Opened(RocksDbEngine::Open(options));
    file_system->SetFreeBytes(kKeptFree);
    const base::Status refused = AddTables(*engine, TablesAt(Where::kApart));
    EXPECT(refused.code() == base::Code::kIo);
    EXPECT(refused.message().find("storage.reserve") != std::string::npos);
    EXPECT(FilesToAdd(directory.path()) == 0);
    REQUIRE(WriteOne(*engine, PutBatch("a", "1"), Sync::kYes).ok());
    REQUIRE(engine->Flush().ok());
    file_system->SetFull(true);  // Of all tables: a file system that says nothing of its room.
    file_system->SetFreeBytes(kKeptFree * 2);
    EXPECT(AddTables(*engine, TablesAt(Where::kApart)).code() == base::Code::kIo);
    file_system->SetFull(false);
    REQUIRE(WriteOne(*engine, PutBatch("b", "1"), Sync::kYes).ok());
    EXPECT(ScanAll(*engine, Family::kData) == Entries{{"a", "1"}, {"b", "1"}});
    EXPECT(AddTables(*engine, TablesAt(Where::kApart)).ok());
  }

  TEST_CASE("where compactions lag behind it is refused before writers are slowed down") {
    constexpr std::uint64_t kKeptFree = std::uint64_t{64} << 20;
    constexpr int kWritesMax = 2000;
    const TempDirectory directory;
    const auto file_system = std::make_shared<UnsyncedFs>();
    RocksDbOptions options = SmallOptions(directory.path(), file_system);
    options.keep_free_bytes = kKeptFree;
    const auto engine = Opened(RocksDbEngine::Open(options));
    file_system->SetFreeBytes(kKeptFree);  // No compaction finds room.
    base::Status refused;
    for (int i = 0; i < kWritesMax && refused.code() != base::Code::kOverloaded; ++i) {
      // From both ends, so that what is flushed overlaps.
      const std::string key = fmt::format("{}{}", i % 2 == 0 ? "a" : "z", i);
      REQUIRE(WriteOne(*engine, PutBatch(key, Noise(64 << 10)), Sync::kNo).ok());
      refused = AddTables(*engine, {{{"m", "more"}}});
    }
    EXPECT(refused.code() == base::Code::kOverloaded);
    EXPECT(refused.message().find("tables wait in level 0") != std::string::npos);
    EXPECT(FilesToAdd(directory.path()) == 0);
    REQUIRE(WriteOne(*engine, PutBatch("b", "1"), Sync::kYes).ok());
  }

  TEST_CASE(
      "in a database that has nothing there they lie on the bottom, with nothing to compact") {
    const TempDirectory directory;
    {
      const auto engine = OpenSmall(directory.path());
      for (int i = 0; i < 20; ++i)
        REQUIRE(AddTables(*engine, {NumberedEntries(fmt::format("{:02}a", i), 0, 50, Noise(100)),
                                    NumberedEntries(fmt::format("{:02}b", i), 0, 50, Noise(100))})
                    .ok());
      EXPECT(engine->stats().pending_compaction_bytes == 0);
      EXPECT(engine->stats().compaction_bytes_written == 0);
      EXPECT(engine->stats().wal_bytes == 0);
    }
    EXPECT(LevelsOf(directory.path()) == std::vector<int>(40, 6));
  }

  TEST_CASE("a key that was not added is told absent without a read, as from other tables") {
    RocksDbMachine machine;
    REQUIRE(AddTables(machine.engine(), TablesAt(Where::kApart)).ok());
    machine.Kill();  // With its cache.
    const auto found =
        GetMany(machine.engine(), Family::kData, {"t000-0005", "t000-0005x"}, Tier::kCacheOnly);
    EXPECT(found[0].found == Found::kNotCached);
    EXPECT(found[1].found == Found::kAbsent);
  }

  TEST_CASE("a bit that flips in an added table is found, and the rest of it is kept") {
    constexpr int kKeysAdded = 3000;
    const TempDirectory directory;
    Entries added;
    for (int i = 0; i < kKeysAdded; ++i) added.emplace_back(KeyOf(i), EntryOf(i, 2));
    std::ranges::sort(added);
    bool over_stored = false;
    SUBCASE("where nothing was") {}
    SUBCASE("over an older table, which does not show") { over_stored = true; }
    {
      const auto engine = OpenSmall(directory.path());
      if (over_stored) Fill(*engine, 1, kKeysAdded);
      REQUIRE(AddTables(*engine, {added}).ok());
      for (const Table& table : engine->Tables()) EXPECT(engine->CheckTable(table.name).ok());
      EXPECT(AllOf(*engine).size() == kKeysAdded);
    }
    const std::string largest = LargestTable(directory.path());
    FlipBit(largest, 0.3);
    {
      const auto engine = OpenSmall(directory.path());
      std::size_t damaged = 0;
      for (const Table& table : engine->Tables())
        if (engine->CheckTable(table.name).code() == base::Code::kCorruption) ++damaged;
      EXPECT(damaged == 1);
    }
    const auto taken = TakeOut(directory.path());
    REQUIRE(taken.has_value());
    EXPECT(taken->tables == 1);
    const auto engine = OpenSmall(directory.path());
    const auto left = AllOf(*engine);
    EXPECT(left.size() > kKeysAdded - 200);
    if (!over_stored)
      for (const auto& [key, value] : added)
        if (const auto it = left.find(key); it != left.end()) EXPECT(it->second == value);
    EXPECT(engine->Compact().ok());
    EXPECT((AllOf(*engine) == left));
  }

  TEST_CASE("a checkpoint has what was added, and takes no tables itself") {
    const TempDirectory directory;
    const auto engine = OpenSmall(directory.path() + "/db");
    REQUIRE(AddTables(*engine, TablesAt(Where::kApart)).ok());
    const auto checkpoint = engine->Checkpoint(directory.path() + "/checkpoint");
    REQUIRE(checkpoint.has_value());
    EXPECT(ScanAll(**checkpoint, Family::kData).size() == 20);
    EXPECT(AddTables(**checkpoint, {{{"z", "v"}}}).code() == base::Code::kFailedPrecondition);
    EXPECT(!fs::exists(fmt::format("{}/checkpoint/{}", directory.path(), kTablesToAdd)));
  }

  TEST_CASE("after a write that failed none are added") {
    const TempDirectory directory;
    const auto file_system = std::make_shared<UnsyncedFs>();
    const auto engine = Opened(RocksDbEngine::Open(SmallOptions(directory.path(), file_system)));
    file_system->FailAt(1, Failing::kOnce);
    REQUIRE(!WriteOne(*engine, PutBatch("a", "1"), Sync::kYes).ok());
    EXPECT(AddTables(*engine, TablesAt(Where::kApart)).code() == base::Code::kIo);
  }
}

}  // namespace
}  // namespace starling::storage
