// Goal:   of a damaged table all that can be read stays, nothing wrong is ever read, and the rest
//         of the database is as it was.
// Method: flip a bit at many places of a table, take out what is damaged, and compare what is left
//         with what was written.
#include "storage/rocksdb/damaged_tables.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/hash.h"
#include "storage/entry.h"
#include "tests/storage/engine_suite.h"
#include "tests/storage/rocksdb/rocksdb_machine.h"
#include "tests/storage/temp_directory.h"
#include "tests/test.h"

namespace starling::storage {
namespace {

constexpr int kKeys = 3000;

std::string KeyOf(int number) {
  const std::string name = fmt::format("key{}", number);
  std::string key;
  EncodeDataKeyTo({1, base::Hash64(name), name}, key);
  return key;
}

std::string EntryOf(int number, std::uint32_t version) {
  const std::string value = fmt::format("value {} of {}: {}", version, number,
                                        std::string(100, static_cast<char>('a' + number % 26)));
  EntryHeader header;
  header.version = {std::uint64_t{version} << 16, 1, 1};
  header.value_digest = ValueDigest(value);
  std::string entry;
  EncodeEntryTo(header, value, entry);
  return entry;
}

std::unique_ptr<Engine> OpenEngine(const std::string& directory) {
  auto opened = RocksDbEngine::Open(SmallOptions(directory));
  const std::string outcome = opened ? "opened" : opened.error().ToString();
  DOCTEST_INFO(outcome);
  REQUIRE(opened.has_value());
  return *std::move(opened);
}

void Fill(Engine& engine, std::uint32_t version, int step) {
  Batch batch;
  for (int i = 0; i < kKeys; i += step) batch.Put(Family::kData, KeyOf(i), EntryOf(i, version));
  batch.Put(Family::kMeta, "name", "a record");
  REQUIRE(WriteOne(engine, batch, Sync::kYes).ok());
  REQUIRE(engine.Flush().ok());
}

std::string LargestTable(const std::string& directory) {
  std::filesystem::path largest;
  for (const auto& file : std::filesystem::directory_iterator(directory))
    if (file.path().extension() == ".sst" &&
        (largest.empty() || file.file_size() > std::filesystem::file_size(largest)))
      largest = file.path();
  return largest.string();
}

void Flip(const std::string& path, double share) {
  const auto at = static_cast<std::streamoff>(
      static_cast<double>(std::filesystem::file_size(path) - 1) * share);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const char was = static_cast<char>(file.get());
  file.seekp(at);
  file.put(static_cast<char>(was ^ 0x10));
}

std::map<std::string, std::string> AllOf(Engine& engine) {
  const Entries entries = ScanAll(engine, Family::kData);
  return {entries.begin(), entries.end()};
}

TEST_SUITE("storage/rocksdb/damaged_tables") {
  TEST_CASE("of sound tables none is taken out, and nothing is changed") {
    const TempDirectory directory;
    Fill(*OpenEngine(directory.path()), 1, 1);
    const auto taken = TakeOutDamagedTables(SmallOptions(directory.path()));
    REQUIRE(taken.has_value());
    EXPECT(taken->what.empty());
    EXPECT(taken->tables == 0);
    EXPECT(!TookOutTables(directory.path()));
    EXPECT(AllOf(*OpenEngine(directory.path())).size() == kKeys);
  }

  TEST_CASE("wherever a bit flips: it is named, the rest stays, and nothing wrong is read") {
    for (const double share : {0.0, 0.1, 0.5, 0.8, 0.95, 0.99, 0.999, 1.0}) {
      DOCTEST_INFO("flipped at ", share);
      const TempDirectory directory;
      Fill(*OpenEngine(directory.path()), 1, 1);
      const std::string table = LargestTable(directory.path());
      Flip(table, share);
      const auto taken = TakeOutDamagedTables(SmallOptions(directory.path()));
      const std::string outcome = taken ? taken->what : taken.error().ToString();
      DOCTEST_INFO(outcome);
      REQUIRE(taken.has_value());
      EXPECT(taken->tables == 1);
      EXPECT(taken->what.find(table) != std::string::npos);
      EXPECT(TookOutTables(directory.path()));
      const auto engine = OpenEngine(directory.path());
      const auto left = AllOf(*engine);
      // A flip in a block of data costs that block; at the end of the file, all that is in it.
      if (share <= 0.8) EXPECT(left.size() > kKeys - 200);
      for (int i = 0; i < kKeys; ++i)
        if (const auto it = left.find(KeyOf(i)); it != left.end())
          EXPECT(it->second == EntryOf(i, 1));
      EXPECT(GetMany(*engine, Family::kMeta, {"name"})[0].value == "a record");
      EXPECT(engine->Compact().ok());
    }
  }

  TEST_CASE("what a newer table has stays, and what is salvaged does not come above it") {
    const TempDirectory directory;
    {
      const auto engine = OpenEngine(directory.path());
      Fill(*engine, 1, 1);
      Fill(*engine, 2, 3);
      Batch batch;
      batch.Delete(Family::kData, KeyOf(1));
      REQUIRE(WriteOne(*engine, batch, Sync::kYes).ok());
    }
    Flip(LargestTable(directory.path()), 0.3);
    REQUIRE(TakeOutDamagedTables(SmallOptions(directory.path())).has_value());
    const auto left = AllOf(*OpenEngine(directory.path()));
    EXPECT(!left.contains(KeyOf(1)));
    for (int i = 0; i < kKeys; i += 3) EXPECT(left.at(KeyOf(i)) == EntryOf(i, 2));
    EXPECT(left.size() > kKeys - 200);
  }

  TEST_CASE("the word about it stays until it is forgotten, even if a start is cut off") {
    const TempDirectory directory;
    Fill(*OpenEngine(directory.path()), 1, 1);
    Flip(LargestTable(directory.path()), 0.5);
    const auto first = TakeOutDamagedTables(SmallOptions(directory.path()));
    REQUIRE(first.has_value());
    const auto again = TakeOutDamagedTables(SmallOptions(directory.path()));
    REQUIRE(again.has_value());
    EXPECT(again->what == first->what);
    EXPECT(first->tables == 1);
    EXPECT(again->tables == 0);
    EXPECT(ForgetTakenOut(directory.path()).ok());
    EXPECT(TakeOutDamagedTables(SmallOptions(directory.path())).value().what == "");
  }

  TEST_CASE("what a call that was cut off left is finished, or removed") {
    const TempDirectory directory;
    Fill(*OpenEngine(directory.path()), 1, 1);
    Flip(LargestTable(directory.path()), 0.5);
    const auto in = [&](std::string_view name) {
      return directory.path() + "/" + std::string(name);
    };
    std::ofstream(in("salvaged-7-data.sst.part")) << "half a table";
    REQUIRE(TakeOutDamagedTables(SmallOptions(directory.path())).has_value());
    for (const auto& file : std::filesystem::directory_iterator(directory.path()))
      EXPECT(!file.path().filename().string().starts_with("salvaged-"));
    EXPECT(AllOf(*OpenEngine(directory.path())).size() > kKeys - 200);
  }

  TEST_CASE("a value that does not fit its digest counts as damage") {
    const TempDirectory directory;
    {
      const auto engine = OpenEngine(directory.path());
      Fill(*engine, 1, 1);
      std::string entry = EntryOf(7, 2);
      entry.back() ^= 1;
      REQUIRE(WriteOne(*engine, PutBatch(KeyOf(7), entry), Sync::kYes).ok());
      REQUIRE(engine->Flush().ok());
      bool found = false;
      for (const Table& table : engine->Tables())
        found = found || engine->CheckTable(table.name).code() == base::Code::kCorruption;
      EXPECT(found);
    }
    REQUIRE(TakeOutDamagedTables(SmallOptions(directory.path())).has_value());
    const auto left = AllOf(*OpenEngine(directory.path()));
    EXPECT(left.size() == kKeys);
    EXPECT(left.at(KeyOf(7)) == EntryOf(7, 1));  // The older one shows again: it is a loss.
  }
}

}  // namespace
}  // namespace starling::storage
