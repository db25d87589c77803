#include "tests/storage/added_tables_suite.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <thread>

#include "tests/test.h"

namespace starling::storage {
namespace {

using Model = std::map<std::string, std::string>;

void PutOne(Engine& engine, base::Bytes key, base::Bytes value, Sync sync = Sync::kNo) {
  REQUIRE(WriteOne(engine, PutBatch(key, value), sync).ok());
}

void DeleteOne(Engine& engine, base::Bytes key) {
  Batch batch;
  batch.Delete(Family::kData, key);
  REQUIRE(WriteOne(engine, batch).ok());
}

Entries DataOf(Machine& machine) { return ScanAll(machine.engine(), Family::kData); }

void CheckWhatIsAdded(const MakeMachine& make_machine) {
  const auto machine = make_machine();
  Engine& engine = machine->engine();
  SUBCASE("it is read, found absent, scanned and counted like what is written") {
    const Entries added = NumberedEntries("k", 0, 100, "added");
    REQUIRE(AddTables(engine, {added}).ok());
    EXPECT(DataOf(*machine) == added);
    EXPECT(
        GetMany(engine, Family::kData, {"k0099", "k0100", "a"}) ==
        std::vector<Lookup>{{Found::kValue, "added"}, {Found::kAbsent, ""}, {Found::kAbsent, ""}});
    const EngineStats stats = engine.stats();
    EXPECT(stats.keys_estimate == 100);
    EXPECT(stats.live_data_bytes > 0);
    EXPECT(stats.bytes_written == 100 * (5 + 5));
    REQUIRE(engine.Tables().size() == 1);
    EXPECT(engine.Families().front().tables == 1);
    EXPECT(engine.Families().front().memtable_entries == 0);
    EXPECT(engine.ApproximateBytes(Family::kData, "", "") > 0);
  }
  SUBCASE("several tables come together, each family has its own, and none is no work") {
    const Entries first = NumberedEntries("a", 0, 10, "1"),
                  second = NumberedEntries("b", 0, 10, "2");
    REQUIRE(AddTables(engine, {first, second}).ok());
    for (const Family family : {Family::kTree, Family::kHints, Family::kMeta, Family::kQuarantine})
      REQUIRE(AddTables(engine, {first}, family).ok());
    EXPECT(AddTables(engine, {}).ok());
    Entries both = first;
    both.insert(both.end(), second.begin(), second.end());
    EXPECT(DataOf(*machine) == both);
    EXPECT(ScanAll(engine, Family::kTree) == first);
    EXPECT(GetMany(engine, Family::kTree, {"a0003"})[0].value == "1");
    EXPECT(ScanAll(engine, Family::kQuarantine) == first);
  }
  SUBCASE("empty keys and values, and zero bytes, are kept as they are") {
    const Entries odd{{"", "empty key"}, {std::string("\0\0\xff", 3), ""}};
    REQUIRE(AddTables(engine, {odd}).ok());
    machine->Kill();
    EXPECT(DataOf(*machine) == odd);
  }
  SUBCASE("a cursor that was opened before does not show it") {
    PutOne(engine, "k0001", "before");
    const auto cursor = engine.Scan(Family::kData, "", "");
    REQUIRE(AddTables(engine, {NumberedEntries("k", 0, 10, "added")}).ok());
    cursor->Seek("");
    REQUIRE(cursor->Valid());
    EXPECT(cursor->key() == "k0001");
    EXPECT(cursor->value() == "before");
    cursor->Next();
    EXPECT(!cursor->Valid());
  }
}

void CheckOrderOfAdded(const MakeMachine& make_machine) {
  const auto machine = make_machine();
  Engine& engine = machine->engine();
  const auto expect_last = [&](const Entries& expected) {
    EXPECT(DataOf(*machine) == expected);
    machine->Kill();
    EXPECT(DataOf(*machine) == expected);
    REQUIRE(machine->engine().Compact().ok());
    EXPECT(DataOf(*machine) == expected);
  };
  SUBCASE("it is newer than what was written before, in memory and in tables") {
    PutOne(engine, "k0001", "in a table");
    DeleteOne(engine, "k0002");
    REQUIRE(engine.Flush().ok());
    PutOne(engine, "k0003", "in memory");
    DeleteOne(engine, "k0004");
    REQUIRE(AddTables(engine, {NumberedEntries("k", 0, 6, "added")}).ok());
    expect_last(NumberedEntries("k", 0, 6, "added"));
  }
  SUBCASE("what is written afterwards is newer, deletions too, and what is added once more") {
    REQUIRE(AddTables(engine, {NumberedEntries("k", 0, 4, "added")}).ok());
    PutOne(engine, "k0001", "written");
    DeleteOne(engine, "k0002");
    REQUIRE(AddTables(engine, {NumberedEntries("k", 3, 2, "again")}).ok());
    expect_last({{"k0000", "added"}, {"k0001", "written"}, {"k0003", "again"}, {"k0004", "again"}});
  }
  SUBCASE("what it lies between and does not name stays") {
    PutOne(engine, "k0002x", "written");
    REQUIRE(AddTables(engine, {{{"k0000", "1"}, {"k0009", "1"}}, {{"l", "1"}}}).ok());
    expect_last({{"k0000", "1"}, {"k0002x", "written"}, {"k0009", "1"}, {"l", "1"}});
  }
  SUBCASE("the count of changes goes on over it, and over a start") {
    std::uint64_t last = 0;
    const auto expect_no_less = [&] {
      const std::uint64_t now = machine->engine().sequence();
      EXPECT(now >= last);
      last = now;
    };
    for (int round = 0; round < 3; ++round) {
      PutOne(machine->engine(), "k0001", fmt::format("{}", round), Sync::kYes);
      EXPECT(machine->engine().sequence() > last);
      expect_no_less();
      // Over stored keys, which takes a number of the count. The log has a hole there.
      REQUIRE(AddTables(machine->engine(), {NumberedEntries("k", 0, 3, "added")}).ok());
      expect_no_less();
      if (round == 1) machine->Kill();  // With nothing written after it.
      expect_no_less();
      PutOne(machine->engine(), "k0002", fmt::format("{}", round), Sync::kYes);
      if (round == 2) REQUIRE(machine->engine().Flush().ok());
      machine->Kill();
      expect_no_less();
      EXPECT(DataOf(*machine) ==
             Entries{{"k0000", "added"}, {"k0001", "added"}, {"k0002", fmt::format("{}", round)}});
    }
  }
}

void CheckPowerLossAfterAdding(const MakeMachine& make_machine) {
  constexpr int kSeeds = 6;
  const auto in_meta = [](Machine& machine) { return ScanAll(machine.engine(), Family::kMeta); };
  SUBCASE("it survives, and what was written before it and not synced need not") {
    std::size_t fewest = 10, most = 0;
    for (int seed = 0; seed < kSeeds; ++seed) {
      base::Random random(static_cast<std::uint64_t>(seed));
      const auto machine = make_machine();
      PutOne(machine->engine(), "a", "synced", Sync::kYes);
      const std::uint64_t synced = machine->engine().sequence();
      for (int i = 0; i < 10; ++i)
        REQUIRE(
            WriteOne(machine->engine(), PutBatch(fmt::format("m{}", i), "unsynced", Family::kMeta))
                .ok());
      const Entries added = NumberedEntries("k", 0, 50, "added");
      REQUIRE(AddTables(machine->engine(), {added}).ok());
      machine->LosePower(random);
      EXPECT(machine->engine().sequence() >= synced);
      Entries expected{{"a", "synced"}};
      expected.insert(expected.end(), added.begin(), added.end());
      EXPECT(DataOf(*machine) == expected);
      const std::size_t kept = in_meta(*machine).size();
      fewest = std::min(fewest, kept);
      most = std::max(most, kept);
      // The next life goes on.
      PutOne(machine->engine(), "z", "later", Sync::kYes);
      machine->Kill();
      EXPECT(DataOf(*machine).size() == 52);
      EXPECT(in_meta(*machine).size() == kept);
    }
    EXPECT(fewest < 10);  // Some were lost,
    EXPECT(most > 0);     // some kept.
  }
  SUBCASE("over a key that was written and not synced it survives as well") {
    for (int seed = 0; seed < kSeeds; ++seed) {
      base::Random random(static_cast<std::uint64_t>(seed));
      const auto machine = make_machine();
      const auto write_under_it = [&](const std::string& value) {
        for (const char* key : {"k0001", "k0002"}) PutOne(machine->engine(), key, value);
        DeleteOne(machine->engine(), "k0003");
      };
      write_under_it("synced");
      REQUIRE(machine->engine().SyncLog().ok());
      write_under_it("unsynced");
      REQUIRE(AddTables(machine->engine(), {NumberedEntries("k", 0, 5, "added")}).ok());
      const bool written_to = random.Chance(0.5);
      if (written_to) PutOne(machine->engine(), "k0002", "after, unsynced");
      machine->LosePower(random);
      const Entries left = DataOf(*machine);
      REQUIRE(left.size() == 5);
      for (const auto& [key, value] : left)
        EXPECT((value == "added" || (written_to && key == "k0002" && value == "after, unsynced")));
    }
  }
  SUBCASE("where a log was torn before it, no later start takes its number for a loss") {
    for (int seed = 0; seed < kSeeds; ++seed) {
      base::Random random(static_cast<std::uint64_t>(seed));
      const auto machine = make_machine();
      REQUIRE(AddTables(machine->engine(), {NumberedEntries("k", 0, 5, "first")}).ok());
      PutOne(machine->engine(), "a", "synced", Sync::kYes);
      for (int i = 0; i < 10; ++i) PutOne(machine->engine(), fmt::format("z{}", i), "unsynced");
      // Over a table and nothing in memory: the log goes on, with a hole in its numbers.
      REQUIRE(AddTables(machine->engine(), {NumberedEntries("k", 0, 5, "second")}).ok());
      PutOne(machine->engine(), "z", "unsynced");
      for (int life = 0; life < 2; ++life) {
        machine->LosePower(random);
        EXPECT(ScanAll(machine->engine(), Family::kData, "k", "l") ==
               NumberedEntries("k", 0, 5, "second"));
        PutOne(machine->engine(), fmt::format("life {}", life), "synced", Sync::kYes);
        PutOne(machine->engine(), "z", "unsynced");
      }
      machine->LosePower(random);
      EXPECT(ScanAll(machine->engine(), Family::kData, "life", "m").size() == 2);
    }
  }
}

// Puts, deletions, tables, flushes, compactions, kills and power losses, beside a map that says
// what must be there.
void RunHistoryWithTables(Machine& machine, std::uint64_t seed) {
  base::Random random(seed);
  Model model;
  const auto key_drawn = [&] { return fmt::format("k{:04}", random.Below(200)); };
  const auto write = [&] {
    Batch batch;
    for (std::uint64_t i = random.Below(10); i > 0; --i) {
      const std::string key = key_drawn(), value = fmt::format("{}", random.Below(1000));
      if (random.Chance(0.3)) {
        batch.Delete(Family::kData, key);
        model.erase(key);
      } else {
        batch.Put(Family::kData, key, value);
        model[key] = value;
      }
    }
    REQUIRE(WriteOne(machine.engine(), batch, Sync::kYes).ok());
  };
  const auto add = [&] {
    Model added;
    for (std::uint64_t i = 1 + random.Below(20); i > 0; --i)
      added[key_drawn()] = fmt::format("added {}", random.Below(1000));
    std::vector<Entries> tables(1);
    for (const auto& [key, value] : added) {
      if (!tables.back().empty() && random.Chance(0.2)) tables.emplace_back();
      tables.back().emplace_back(key, value);
      model[key] = value;
    }
    base::Status status = AddTables(machine.engine(), tables);
    if (status.code() == base::Code::kOverloaded) {  // Compactions lag behind.
      REQUIRE(machine.engine().Compact().ok());
      status = AddTables(machine.engine(), tables);
    }
    REQUIRE(status.ok());
  };
  for (int step = 0; step < 60; ++step) {
    random.Chance(0.3) ? add() : write();
    if (random.Chance(0.05)) REQUIRE(machine.engine().Flush().ok());
    if (random.Chance(0.02)) REQUIRE(machine.engine().Compact().ok());
    if (random.Chance(0.05))
      machine.Kill();
    else if (machine.can_lose_power() && random.Chance(0.05))
      machine.LosePower(random);
    DOCTEST_INFO("seed ", seed, ", step ", step);
    REQUIRE((DataOf(machine) == Entries(model.begin(), model.end())));
  }
}

}  // namespace

Entries NumberedEntries(const std::string& prefix, int first, int count, const std::string& value) {
  Entries entries;
  for (int i = first; i < first + count; ++i)
    entries.emplace_back(fmt::format("{}{:04}", prefix, i), value);
  return entries;
}

void CheckAddedTables(const MakeMachine& make_machine) {
  SUBCASE("what is added") { CheckWhatIsAdded(make_machine); }
  SUBCASE("before and after") { CheckOrderOfAdded(make_machine); }
  SUBCASE("power loss") {
    if (make_machine()->can_lose_power()) CheckPowerLossAfterAdding(make_machine);
  }
  SUBCASE("any history of them and other changes leaves what came last") {
    for (std::uint64_t seed = 1; seed <= 2; ++seed) RunHistoryWithTables(*make_machine(), seed);
  }
  SUBCASE("several threads may add at once, beside one that writes") {
    const auto machine = make_machine();
    std::vector<std::thread> threads;
    threads.reserve(3);
    for (int i = 0; i < 3; ++i)
      threads.emplace_back([&machine, prefix = fmt::format("t{}", i)] {
        for (int run = 0; run < 5; ++run)
          EXPECT(AddTables(machine->engine(), {NumberedEntries(prefix, 10 * run, 10, "v")}).ok());
      });
    for (int i = 0; i < 100; ++i) PutOne(machine->engine(), fmt::format("w{:04}", i), "v");
    for (std::thread& thread : threads) thread.join();
    EXPECT(DataOf(*machine).size() == 3 * 50 + 100);
  }
}

}  // namespace starling::storage
