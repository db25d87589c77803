// Goal:   of a damaged table all that can be read stays, nothing wrong is ever read, and the rest
//         of the database is as it was.
// Method: flip a bit at many places of a table, take out what is damaged, and compare what is left
//         with what was written.
#include "storage/rocksdb/damaged_tables.h"

#include <filesystem>
#include <fstream>

#include "tests/storage/engine_suite.h"
#include "tests/storage/rocksdb/damage.h"
#include "tests/storage/temp_directory.h"
#include "tests/test.h"

namespace starling::storage {
namespace {

constexpr int kKeysOfTables = 3000;

TEST_SUITE("storage/rocksdb/damaged_tables") {
  TEST_CASE("of sound tables none is taken out, and nothing is changed") {
    const TempDirectory directory;
    Fill(*OpenSmall(directory.path()), 1, kKeysOfTables);
    const auto taken = TakeOut(directory.path());
    REQUIRE(taken.has_value());
    EXPECT(taken->what.empty());
    EXPECT(taken->tables == 0);
    EXPECT(!TookOutTables(directory.path()));
    EXPECT(AllOf(*OpenSmall(directory.path())).size() == kKeysOfTables);
  }

  TEST_CASE("wherever a bit flips: it is named, the rest stays, and nothing wrong is read") {
    for (const double share : {0.0, 0.1, 0.5, 0.8, 0.95, 0.99, 0.999, 1.0}) {
      DOCTEST_INFO("flipped at ", share);
      const TempDirectory directory;
      Fill(*OpenSmall(directory.path()), 1, kKeysOfTables);
      const std::string table = LargestTable(directory.path());
      FlipBit(table, share);
      const auto taken = TakeOut(directory.path());
      const std::string outcome = taken ? taken->what : taken.error().ToString();
      DOCTEST_INFO(outcome);
      REQUIRE(taken.has_value());
      EXPECT(taken->tables == 1);
      EXPECT(taken->what.find(table) != std::string::npos);
      EXPECT(TookOutTables(directory.path()));
      const auto engine = OpenSmall(directory.path());
      const auto left = AllOf(*engine);
      // A flip in a block of data costs that block; at the end of the file, all that is in it.
      if (share <= 0.8) EXPECT(left.size() > kKeysOfTables - 200);
      for (int i = 0; i < kKeysOfTables; ++i)
        if (const auto it = left.find(KeyOf(i)); it != left.end())
          EXPECT(it->second == EntryOf(i, 1));
      EXPECT(GetMany(*engine, Family::kMeta, {"name"})[0].value == "a record");
      EXPECT(engine->Compact().ok());
    }
  }

  TEST_CASE("what a newer table has stays, and what is salvaged does not come above it") {
    const TempDirectory directory;
    {
      const auto engine = OpenSmall(directory.path());
      Fill(*engine, 1, kKeysOfTables);
      Fill(*engine, 2, kKeysOfTables, 3);
      Batch batch;
      batch.Delete(Family::kData, KeyOf(1));
      REQUIRE(WriteOne(*engine, batch, Sync::kYes).ok());
    }
    FlipBit(LargestTable(directory.path()), 0.3);
    REQUIRE(TakeOut(directory.path()).has_value());
    const auto left = AllOf(*OpenSmall(directory.path()));
    EXPECT(!left.contains(KeyOf(1)));
    for (int i = 0; i < kKeysOfTables; i += 3) EXPECT(left.at(KeyOf(i)) == EntryOf(i, 2));
    EXPECT(left.size() > kKeysOfTables - 200);
  }

  TEST_CASE("the word about it stays until it is forgotten, even if a start is cut off") {
    const TempDirectory directory;
    Fill(*OpenSmall(directory.path()), 1, kKeysOfTables);
    FlipBit(LargestTable(directory.path()), 0.5);
    const auto first = TakeOut(directory.path());
    REQUIRE(first.has_value());
    const auto again = TakeOut(directory.path());
    REQUIRE(again.has_value());
    EXPECT(again->what == first->what);
    EXPECT(first->tables == 1);
    EXPECT(again->tables == 0);
    EXPECT(ForgetTakenOut(directory.path()).ok());
    EXPECT(TakeOut(directory.path()).value().what == "");
  }

  TEST_CASE("what a call that was cut off left is finished, or removed") {
    const TempDirectory directory;
    Fill(*OpenSmall(directory.path()), 1, kKeysOfTables);
    FlipBit(LargestTable(directory.path()), 0.5);
    const auto in = [&](std::string_view name) {
      return directory.path() + "/" + std::string(name);
    };
    std::ofstream(in("salvaged-7-data.sst.part")) << "half a table";
    REQUIRE(TakeOut(directory.path()).has_value());
    for (const auto& file : std::filesystem::directory_iterator(directory.path()))
      EXPECT(!file.path().filename().string().starts_with("salvaged-"));
    EXPECT(AllOf(*OpenSmall(directory.path())).size() > kKeysOfTables - 200);
  }

  TEST_CASE("a table that was replaced is not there to be looked at") {
    const TempDirectory directory;
    const auto engine = OpenSmall(directory.path());
    Fill(*engine, 1, kKeysOfTables);
    const std::vector<Table> before = engine->Tables();
    for (const Table& table : before) EXPECT(engine->CheckTable(table.name).ok());
    REQUIRE(engine->Compact().ok());
    for (const Table& table : before)
      EXPECT(engine->CheckTable(table.name).code() == base::Code::kNotFound);
  }

  TEST_CASE("an entry whose key is none counts as damage, and goes alone") {
    const TempDirectory directory;
    {
      const auto engine = OpenSmall(directory.path());
      Fill(*engine, 1, kKeysOfTables);
      REQUIRE(WriteOne(*engine, PutBatch("short", EntryOf(7, 2)), Sync::kYes).ok());
      REQUIRE(engine->Flush().ok());
    }
    const auto taken = TakeOut(directory.path());
    REQUIRE(taken.has_value());
    EXPECT(taken->tables == 1);
    const auto left = AllOf(*OpenSmall(directory.path()));
    EXPECT(left.size() == kKeysOfTables);
    EXPECT(!left.contains("short"));
    EXPECT(TakeOut(directory.path())->tables == 0);
  }

  TEST_CASE("a value that does not fit its digest counts as damage") {
    const TempDirectory directory;
    {
      const auto engine = OpenSmall(directory.path());
      Fill(*engine, 1, kKeysOfTables);
      std::string entry = EntryOf(7, 2);
      entry.back() ^= 1;
      REQUIRE(WriteOne(*engine, PutBatch(KeyOf(7), entry), Sync::kYes).ok());
      REQUIRE(engine->Flush().ok());
      bool found = false;
      for (const Table& table : engine->Tables())
        found = found || engine->CheckTable(table.name).code() == base::Code::kCorruption;
      EXPECT(found);
    }
    REQUIRE(TakeOut(directory.path()).has_value());
    const auto left = AllOf(*OpenSmall(directory.path()));
    EXPECT(left.size() == kKeysOfTables);
    EXPECT(left.at(KeyOf(7)) == EntryOf(7, 1));  // The older one shows again: it is a loss.
  }
}

}  // namespace
}  // namespace starling::storage
