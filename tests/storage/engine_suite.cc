#include "tests/storage/engine_suite.h"

#include <fmt/core.h>

#include "storage/entry.h"
#include "tests/storage/added_tables_suite.h"
#include "tests/test.h"

namespace starling::storage {
namespace {

struct CollectSink final : GetSink {
  void OnFound(std::size_t index, Found found, base::Bytes value,
               const base::Status& error) override {
    EXPECT(index == lookups.size());  // In the order of the keys.
    EXPECT(error.ok() == (found != Found::kError));
    lookups.push_back({found, std::string(value)});
  }
  std::vector<Lookup> lookups;
};

const Lookup kAbsent{Found::kAbsent, ""};
Lookup Value(std::string value) { return {Found::kValue, std::move(value)}; }

Lookup GetIt(Engine& engine, const std::string& key, Family family = Family::kData) {
  return GetMany(engine, family, {key})[0];
}

void Put(Engine& engine, base::Bytes key, base::Bytes value, Sync sync = Sync::kNo) {
  REQUIRE(WriteOne(engine, PutBatch(key, value), sync).ok());
}

void CheckReadsAndWrites(const MakeMachine& make_machine) {
  SUBCASE("a value that was put is read, one that was deleted is not") {
    const auto machine = make_machine();
    Put(machine->engine(), "k", "v");
    EXPECT(GetIt(machine->engine(), "k") == Value("v"));
    Batch batch;
    batch.Delete(Family::kData, "k");
    batch.Delete(Family::kData, "never there");
    REQUIRE(WriteOne(machine->engine(), batch).ok());
    EXPECT(GetIt(machine->engine(), "k") == kAbsent);
    EXPECT(GetIt(machine->engine(), "never there") == kAbsent);
  }
  SUBCASE("a put replaces the value before it") {
    const auto machine = make_machine();
    Put(machine->engine(), "k", "a longer first value");
    Put(machine->engine(), "k", "v2");
    EXPECT(GetIt(machine->engine(), "k") == Value("v2"));
  }
  SUBCASE("families do not see each other's keys") {
    const auto machine = make_machine();
    for (const Family family : {Family::kData, Family::kMeta, Family::kTree, Family::kHints})
      REQUIRE(WriteOne(machine->engine(),
                       PutBatch("k", fmt::format("of {}", static_cast<int>(family)), family))
                  .ok());
    for (const Family family : {Family::kData, Family::kMeta, Family::kTree, Family::kHints})
      EXPECT(GetIt(machine->engine(), "k", family) ==
             Value(fmt::format("of {}", static_cast<int>(family))));
  }
  SUBCASE("within a write, later changes of a key win, over batches and families") {
    const auto machine = make_machine();
    Batch first, second;
    first.Put(Family::kData, "a", "1");
    first.Put(Family::kData, "b", "1");
    first.Delete(Family::kData, "a");
    first.Put(Family::kMeta, "m", "1");
    second.Put(Family::kData, "a", "2");
    second.Delete(Family::kData, "b");
    const Batch* const batches[] = {&first, &second};
    REQUIRE(machine->engine().Write(batches, Sync::kNo).ok());
    EXPECT(GetMany(machine->engine(), Family::kData, {"a", "b"}) ==
           std::vector{Value("2"), kAbsent});
    EXPECT(GetIt(machine->engine(), "m", Family::kMeta) == Value("1"));
  }
  SUBCASE("one Get answers present, absent and repeated keys in their order") {
    const auto machine = make_machine();
    Put(machine->engine(), "a", "1");
    Put(machine->engine(), "c", "3");
    EXPECT(GetMany(machine->engine(), Family::kData, {"c", "b", "a", "c"}) ==
           std::vector{Value("3"), kAbsent, Value("1"), Value("3")});
  }
  SUBCASE("a value in memory is found without touching the disk") {
    const auto machine = make_machine();
    Put(machine->engine(), "a", "1");
    EXPECT(GetMany(machine->engine(), Family::kData, {"a"}, Tier::kCacheOnly)[0] == Value("1"));
    EXPECT(GetMany(machine->engine(), Family::kData, {"a", "b"}, Tier::kCacheOnly) ==
           std::vector{Value("1"), kAbsent});
  }
  SUBCASE("what is read and written is counted") {
    const auto machine = make_machine();
    Put(machine->engine(), "a", std::string(100, 'x'));
    const EngineStats before = machine->engine().stats();
    EXPECT(before.bytes_written >= 100);
    EXPECT(before.keys_estimate == 1);
    GetMany(machine->engine(), Family::kData, {"a"});
    EXPECT(machine->engine().stats().bytes_read == before.bytes_read + 100);
    GetMany(machine->engine(), Family::kData, {"a", "b"});
    EXPECT(machine->engine().stats().bytes_read == before.bytes_read + 200);
    EXPECT(machine->engine().stats().iter_bytes_read == before.iter_bytes_read);
    ScanAll(machine->engine(), Family::kData);
    EXPECT(machine->engine().stats().iter_bytes_read == before.iter_bytes_read + 101);
  }
}

void CheckOddInput(const MakeMachine& make_machine) {
  SUBCASE("no keys, no batches and empty batches are no work") {
    const auto machine = make_machine();
    EXPECT(GetMany(machine->engine(), Family::kData, {}).empty());
    EXPECT(machine->engine().Write({}, Sync::kYes).ok());
    EXPECT(WriteOne(machine->engine(), Batch(), Sync::kNo).ok());
    EXPECT(WriteOne(machine->engine(), Batch(), Sync::kYes).ok());
    EXPECT(machine->engine().SyncLog().ok());
  }
  SUBCASE("the empty key, the empty value and zero bytes are kept as they are") {
    const auto machine = make_machine();
    const std::string zeros("\0\0\xff", 3);
    Put(machine->engine(), "", "empty key");
    Put(machine->engine(), "empty value", "");
    Put(machine->engine(), zeros, zeros);
    machine->Kill();
    EXPECT(GetMany(machine->engine(), Family::kData, {"", "empty value", zeros}) ==
           std::vector{Value("empty key"), Value(""), Value(zeros)});
  }
  SUBCASE("the largest key and the largest value are kept as they are") {
    const auto machine = make_machine();
    const std::string key(kKeyPrefixBytes + kKeyBytesMax, 'k');
    const std::string value(kEntryHeaderBytes + kValueBytesMax, 'v');
    Put(machine->engine(), key, value);
    EXPECT(GetIt(machine->engine(), key) == Value(value));
  }
}

// 200 entries of a kilobyte that no compression makes smaller, with numbered keys from `prefix` on.
constexpr std::uint64_t kRangeBytes = 200 * 1000;
void FillRange(Engine& engine, const std::string& prefix) {
  base::Random random(prefix[0]);
  for (int i = 0; i < 200; ++i) {
    std::string value(1000, '\0');
    for (char& byte : value) byte = static_cast<char>(random.Below(256));
    Put(engine, fmt::format("{}{:03}", prefix, i), value);
  }
}

void CheckSizes(const MakeMachine& make_machine) {
  const auto machine = make_machine();
  Engine& engine = machine->engine();
  FillRange(engine, "b");
  FillRange(engine, "c");
  FillRange(engine, "d");
  // Sampling of a memtable is rough: half to double is what is asked for, here and on disk.
  const auto is_about = [&engine](base::Bytes begin, base::Bytes end, std::uint64_t bytes) {
    const std::uint64_t said = engine.ApproximateBytes(Family::kData, begin, end);
    DOCTEST_INFO(fmt::format("[{}, {}) takes {}, said to be {}", begin, end, bytes, said));
    EXPECT(said >= bytes / 2);
    EXPECT(said <= bytes * 2);
  };
  const auto ranges_are_told_apart = [&] {
    is_about("c", "d", kRangeBytes);
    is_about("c", "", 2 * kRangeBytes);
    is_about("", "", 3 * kRangeBytes);
    EXPECT(engine.ApproximateBytes(Family::kData, "a", "b") < kRangeBytes / 4);
    EXPECT(engine.ApproximateBytes(Family::kData, "e", "") < kRangeBytes / 4);
    EXPECT(engine.ApproximateBytes(Family::kData, "d", "c") == 0);
    EXPECT(engine.ApproximateBytes(Family::kMeta, "", "") < kRangeBytes / 4);
  };
  SUBCASE("a range's bytes are its own, while they are in memory") { ranges_are_told_apart(); }
  SUBCASE("a family's bytes are in memory or in tables") {
    const auto data = [&engine] { return engine.Families().front(); };
    EXPECT(data().name == "data");
    EXPECT(data().memtable_bytes + data().table_bytes >= 3 * kRangeBytes / 2);
    REQUIRE(engine.Flush().ok());
    EXPECT(data().tables > 0);
    EXPECT(data().table_bytes >= 3 * kRangeBytes / 2);
    EXPECT(data().memtable_entries == 0);
    EXPECT(data().memtable_bytes < kRangeBytes / 4);
  }
  SUBCASE("a range's bytes are its own, once they are on disk") {
    REQUIRE(engine.Flush().ok());
    ranges_are_told_apart();
    REQUIRE(engine.Compact().ok());
    ranges_are_told_apart();
  }
}

void CheckScans(const MakeMachine& make_machine) {
  const auto machine = make_machine();
  Engine& engine = machine->engine();
  for (const char* key : {"d", "b", "a", "c"}) Put(engine, key, std::string("=") + key);
  SUBCASE("a scan walks keys in order, from begin up to and without end") {
    EXPECT(ScanAll(engine, Family::kData) ==
           Entries{{"a", "=a"}, {"b", "=b"}, {"c", "=c"}, {"d", "=d"}});
    EXPECT(ScanAll(engine, Family::kData, "b", "d") == Entries{{"b", "=b"}, {"c", "=c"}});
    EXPECT(ScanAll(engine, Family::kData, "bb") == Entries{{"c", "=c"}, {"d", "=d"}});
    EXPECT(ScanAll(engine, Family::kMeta).empty());
  }
  SUBCASE("keys are ordered as unsigned bytes") {
    Put(engine, "\xff", "high");
    EXPECT(ScanAll(engine, Family::kData, "d").back().first == "\xff");
  }
  SUBCASE("a range that is empty, or ends before it begins, has no entries") {
    EXPECT(ScanAll(engine, Family::kData, "b", "b").empty());
    EXPECT(ScanAll(engine, Family::kData, "d", "a").empty());
    EXPECT(ScanAll(engine, Family::kData, "e").empty());
  }
  SUBCASE("a cursor seeks within its range only") {
    const auto cursor = engine.Scan(Family::kData, "b", "d");
    EXPECT(!cursor->Valid());  // Before the first Seek.
    cursor->Seek("a");
    REQUIRE(cursor->Valid());
    EXPECT(cursor->key() == "b");
    cursor->Seek("bb");
    REQUIRE(cursor->Valid());
    EXPECT(cursor->key() == "c");
    cursor->Seek("d");
    EXPECT(!cursor->Valid());
    cursor->Seek("b");  // Back again.
    REQUIRE(cursor->Valid());
    EXPECT(cursor->value() == "=b");
    EXPECT(cursor->status().ok());
  }
  SUBCASE("a cursor sees its range as it was at Scan, whatever is written afterwards") {
    const auto cursor = engine.Scan(Family::kData, "a", "");
    Put(engine, "a", "changed");
    Put(engine, "aa", "new");
    Batch batch;
    batch.Delete(Family::kData, "b");
    REQUIRE(WriteOne(engine, batch).ok());
    Entries seen;
    for (cursor->Seek(""); cursor->Valid(); cursor->Next())
      seen.emplace_back(cursor->key(), cursor->value());
    EXPECT(seen == Entries{{"a", "=a"}, {"b", "=b"}, {"c", "=c"}, {"d", "=d"}});
    EXPECT(ScanAll(engine, Family::kData, "", "c") == Entries{{"a", "changed"}, {"aa", "new"}});
  }
}

void CheckKills(const MakeMachine& make_machine) {
  SUBCASE("a killed process finds all that it wrote, synced or not") {
    const auto machine = make_machine();
    Put(machine->engine(), "synced", "1", Sync::kYes);
    Put(machine->engine(), "a", "1");
    Put(machine->engine(), "a", "2");
    machine->Kill();
    EXPECT(ScanAll(machine->engine(), Family::kData) == Entries{{"a", "2"}, {"synced", "1"}});
    machine->Kill();
    Put(machine->engine(), "b", "3");
    machine->Kill();
    EXPECT(ScanAll(machine->engine(), Family::kData).size() == 3);
  }
  SUBCASE("flushing and compacting change nothing that is read") {
    const auto machine = make_machine();
    for (int i = 0; i < 100; ++i) Put(machine->engine(), fmt::format("k{:03}", i % 50), "v");
    Batch batch;
    batch.Delete(Family::kData, "k010");
    REQUIRE(WriteOne(machine->engine(), batch).ok());
    const Entries before = ScanAll(machine->engine(), Family::kData);
    EXPECT(before.size() == 49);
    REQUIRE(machine->engine().Flush().ok());
    EXPECT(ScanAll(machine->engine(), Family::kData) == before);
    REQUIRE(machine->engine().Compact().ok());
    EXPECT(ScanAll(machine->engine(), Family::kData) == before);
    machine->Kill();
    EXPECT(ScanAll(machine->engine(), Family::kData) == before);
    EXPECT(GetIt(machine->engine(), "k010") == kAbsent);
  }
}

// Writes batch `i`: its number under "last" and under its own key, in two families.
void WriteNumbered(Engine& engine, int i, Sync sync) {
  Batch first, second;
  first.Put(Family::kData, fmt::format("n{:04}", i), fmt::format("{}", i));
  first.Put(Family::kData, "last", fmt::format("{}", i));
  second.Put(Family::kTree, "last", fmt::format("{}", i));
  const Batch* const batches[] = {&first, &second};
  REQUIRE(engine.Write(batches, sync).ok());
}

// How many numbered batches are there; checks that they are a prefix, and none of them torn.
int CountNumbered(Engine& engine) {
  const Entries entries = ScanAll(engine, Family::kData, "n", "o");
  const int count = static_cast<int>(entries.size());
  for (int i = 0; i < count; ++i)
    EXPECT(entries[static_cast<std::size_t>(i)].second == fmt::format("{}", i));
  const Lookup last = count == 0 ? kAbsent : Value(fmt::format("{}", count - 1));
  EXPECT(GetIt(engine, "last") == last);
  EXPECT(GetIt(engine, "last", Family::kTree) == last);
  return count;
}

void CheckPowerLoss(const MakeMachine& make_machine) {
  constexpr int kSeeds = 10;
  SUBCASE("a synced write survives a power loss, with everything before it") {
    for (int seed = 0; seed < kSeeds; ++seed) {
      base::Random random(static_cast<std::uint64_t>(seed));
      const auto machine = make_machine();
      for (int i = 0; i < 9; ++i) WriteNumbered(machine->engine(), i, Sync::kNo);
      WriteNumbered(machine->engine(), 9, Sync::kYes);
      machine->LosePower(random);
      EXPECT(CountNumbered(machine->engine()) == 10);
    }
  }
  SUBCASE("SyncLog covers all that was written before it") {
    for (int seed = 0; seed < kSeeds; ++seed) {
      base::Random random(static_cast<std::uint64_t>(seed));
      const auto machine = make_machine();
      for (int i = 0; i < 10; ++i) WriteNumbered(machine->engine(), i, Sync::kNo);
      REQUIRE(machine->engine().SyncLog().ok());
      machine->LosePower(random);
      EXPECT(CountNumbered(machine->engine()) == 10);
    }
  }
  SUBCASE("of unsynced writes a prefix survives, whole, and the next life goes on from there") {
    int shortest = 60, longest = 0;
    for (int seed = 0; seed < 4 * kSeeds; ++seed) {
      base::Random random(static_cast<std::uint64_t>(seed));
      const auto machine = make_machine();
      int written = 0, synced = 0;
      for (int life = 0; life < 3; ++life) {
        for (int i = 0; i < 10; ++i) {
          const Sync sync = random.Chance(0.1) ? Sync::kYes : Sync::kNo;
          WriteNumbered(machine->engine(), written++, sync);
          if (sync == Sync::kYes) synced = written;
          if (random.Chance(0.05)) REQUIRE(machine->engine().Flush().ok());
        }
        machine->LosePower(random);
        const int left = CountNumbered(machine->engine());
        EXPECT(left >= synced);
        EXPECT(left <= written);
        shortest = std::min(shortest, left);
        longest = std::max(longest, left);
        synced = written = left;
      }
    }
    EXPECT(shortest < 10);  // Some were lost,
    EXPECT(longest > 10);   // some kept.
  }
}

}  // namespace

Batch PutBatch(base::Bytes key, base::Bytes value, Family family) {
  Batch batch;
  batch.Put(family, key, value);
  return batch;
}

base::Status WriteOne(Engine& engine, const Batch& batch, Sync sync) {
  const Batch* const batches[] = {&batch};
  return engine.Write(batches, sync);
}

std::vector<Lookup> GetMany(Engine& engine, Family family, const std::vector<std::string>& keys,
                            Tier tier) {
  const std::vector<base::Bytes> views(keys.begin(), keys.end());
  CollectSink sink;
  engine.Get(family, views, tier, sink);
  EXPECT(sink.lookups.size() == keys.size());
  return std::move(sink.lookups);
}

base::Status AddTables(Engine& engine, const std::vector<Entries>& tables, Family family) {
  std::vector<std::vector<SortedEntry>> entries;
  std::vector<std::span<const SortedEntry>> spans;
  for (const Entries& table : tables) {
    std::vector<SortedEntry>& sorted = entries.emplace_back();
    for (const auto& [key, value] : table) sorted.push_back({key, value});
  }
  spans.assign(entries.begin(), entries.end());
  return engine.AddTables(family, spans);
}

Entries ScanAll(Engine& engine, Family family, base::Bytes begin, base::Bytes end) {
  Entries entries;
  const auto cursor = engine.Scan(family, begin, end);
  for (cursor->Seek(begin); cursor->Valid(); cursor->Next())
    entries.emplace_back(cursor->key(), cursor->value());
  EXPECT(cursor->status().ok());
  return entries;
}

void RunEngineSuite(const MakeMachine& make_machine) {
  SUBCASE("reads and writes") { CheckReadsAndWrites(make_machine); }
  SUBCASE("odd input") { CheckOddInput(make_machine); }
  SUBCASE("scans") { CheckScans(make_machine); }
  SUBCASE("sizes") { CheckSizes(make_machine); }
  SUBCASE("added tables") { CheckAddedTables(make_machine); }
  SUBCASE("kills") { CheckKills(make_machine); }
  SUBCASE("power loss") {
    if (make_machine()->can_lose_power()) CheckPowerLoss(make_machine);
  }
}

}  // namespace starling::storage
