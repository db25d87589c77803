// Goal:   what is stored of trees after any turn adds up to them, within its bounds; and where
//         something is missing of it, that shows.
// Method: journals with laps of a few records put into a map, over random turns of several
//         keyspaces and workers; records taken away, cut off and changed.
#include "merkle/journal.h"

#include <rapidcheck.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "merkle/records.h"
#include "merkle/stored_trees.h"
#include "tests/merkle/draw.h"
#include "tests/test.h"

namespace starling::merkle {
namespace {

constexpr base::KeyspaceId kKeyspaces = 3;
constexpr std::size_t kRecordBytes = JournalHeader::kSize + internal::kRunHeaderBytes +
                                     internal::kChangedBytes;  // Of a turn that changed one leaf.

// What is on the disk, by key.
struct Disk final : RecordSink {
  std::string& BeginPut(base::Bytes key) override {
    std::string& value = records[std::string(key)];
    value.clear();
    return value;
  }
  void EndPut() override {}

  std::size_t JournalBytes() const {
    std::size_t bytes = 0;
    for (const auto& [key, value] : records)
      if (key.size() == kJournalKeyBytes) bytes += value.size();
    return bytes;
  }
  std::map<std::string, std::string> records;
};

// A worker: trees of the slices that are its own, and their journal.
struct Worker {
  explicit Worker(const JournalOptions& options) : journal(options) {
    for (base::KeyspaceId keyspace = 1; keyspace <= kKeyspaces; ++keyspace)
      trees[keyspace] = std::make_unique<Tree>(keyspace);
  }
  void Change(base::KeyspaceId keyspace, std::uint16_t bucket, const Digest& entry) {
    trees[keyspace]->Add(bucket, entry);
  }
  void EndTurn(Disk& disk) {
    for (const auto& [keyspace, tree] : trees) journal.Take(*tree);
    journal.EndTurn(disk);
  }
  StoredTrees::Trees trees;
  Journal journal;
};

base::Status Read(const Disk& disk, StoredTrees& stored) {
  for (const auto& [key, value] : disk.records) RETURN_IF_ERROR(stored.Take(key, value));
  return stored.Finish();
}

// Of the slices that the worker owns, as one of `workers`; of all others it says nothing.
bool Holds(StoredTrees& stored, const Worker& worker, unsigned number = 0, unsigned workers = 1) {
  for (const auto& [keyspace, tree] : worker.trees) {
    BucketSet own;
    for (std::uint32_t bucket = 0; bucket < base::kBuckets; ++bucket)
      if (base::WorkerOf(static_cast<std::uint16_t>(bucket), workers) == number)
        own.Insert(static_cast<std::uint16_t>(bucket));
    if (stored.TreeOf(keyspace).Sum(own) != tree->Sum(own)) return false;
    const Tree& there = stored.TreeOf(keyspace);
    bool same = true;
    tree->ForEachLeaf([&](std::uint16_t bucket, const Digest& leaf) {
      same = same && there.Leaf(bucket) == leaf;
    });
    if (!same) return false;
  }
  return true;
}

TEST_SUITE("merkle/journal") {
  TEST_CASE("law: what is stored after any turn is the tree") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      Disk disk;
      const std::size_t lap = kRecordBytes * (2 + random.Below(12));
      std::vector<std::unique_ptr<Worker>> workers;
      const auto count = static_cast<unsigned>(1 + random.Below(3));
      for (unsigned i = 0; i < count; ++i)
        workers.push_back(std::make_unique<Worker>(
            JournalOptions{.stream = static_cast<std::uint16_t>(i),
                           .lap_bytes_min = lap,
                           .lap_bytes_max = lap,
                           .slots_max = static_cast<std::size_t>(1 + random.Below(10))}));
      const auto turns = static_cast<int>(random.Below(120));
      for (int turn = 0; turn <= turns; ++turn) {
        const auto number = static_cast<unsigned>(random.Below(count));
        for (std::uint64_t changes = random.Below(5); changes > 0; --changes) {
          // Of few slices, so that pages change again before they are put, and of its own.
          const auto slice = static_cast<std::uint8_t>(random.Below(8) * count + number);
          workers[number]->Change(1 + static_cast<base::KeyspaceId>(random.Below(kKeyspaces)),
                                  base::BucketAt(slice, static_cast<std::uint8_t>(random.Below(2))),
                                  DrawDigest(random));
        }
        workers[number]->EndTurn(disk);
        if (turn != turns && random.Below(40) != 0) continue;
        StoredTrees stored;
        RC_ASSERT(Read(disk, stored).ok());
        for (unsigned i = 0; i < count; ++i) RC_ASSERT(Holds(stored, *workers[i], i, count));
      }
    }));
  }

  TEST_CASE("a slot is used again only once the pages of its record are put") {
    Disk disk;
    Worker worker({.lap_bytes_min = 1 << 20, .lap_bytes_max = 1 << 20, .slots_max = 20});
    // The fewer wait the slower they are put: the last of these are not put within a lap by their
    // turn, and never change again.
    for (std::uint8_t slice = 0; slice < 30; ++slice)
      worker.Change(1, base::BucketAt(slice, 0), {1, 2, 3});
    for (std::uint64_t turn = 1; turn <= 100; ++turn) {
      worker.Change(1, base::BucketAt(30, 0), {1, turn, 5});
      worker.EndTurn(disk);
      StoredTrees stored;
      REQUIRE(Read(disk, stored).ok());
      EXPECT(Holds(stored, worker));
    }
  }

  TEST_CASE("a turn puts one record, and none when nothing changed") {
    Disk disk;
    Worker worker({});
    worker.EndTurn(disk);
    EXPECT(disk.records.empty());
    for (std::uint16_t bucket = 0; bucket < 40; ++bucket) worker.Change(1, bucket, {1, 2, 3});
    worker.Change(2, 7, {1, 2, 3});
    worker.EndTurn(disk);
    EXPECT(disk.records.size() == 1);
    EXPECT(worker.trees[1]->dirty().empty());
    worker.EndTurn(disk);
    EXPECT(disk.records.size() == 1);
    EXPECT(worker.journal.records() == 1);
  }

  TEST_CASE("a journal takes two laps at most, and each page is put about once a lap") {
    base::Random random(1);
    Disk disk;
    Worker worker({.lap_bytes_min = 1 << 14, .lap_bytes_max = 1 << 14, .slots_max = 1 << 10});
    constexpr int kTurns = 4000;
    for (int turn = 0; turn < kTurns; ++turn) {
      for (int i = 0; i < 4; ++i)
        worker.Change(1, base::BucketAt(static_cast<std::uint8_t>(random.Below(64)), 3),
                      DrawDigest(random));
      worker.EndTurn(disk);
    }
    EXPECT(disk.JournalBytes() <= 2 << 14);
    EXPECT(worker.journal.slots() <= 1 << 10);
    // 4,000 records of at most 128 bytes are 31 laps at most, of 64 pages each, and a quarter more.
    EXPECT(worker.journal.pages() <= 31 * 64 * 5 / 4 + 64);
    EXPECT(worker.journal.pages() >= 64);
  }

  TEST_CASE("laps grow with the pages that change, within their limits") {
    Worker worker({.lap_bytes_min = 50'000, .lap_bytes_max = 200'000});
    Disk disk;
    EXPECT(worker.journal.lap_bytes() == 50'000);
    for (std::uint8_t slice = 0; slice < 4; ++slice)
      worker.Change(1, base::BucketAt(slice, 0), {1, 1, 1});
    worker.EndTurn(disk);
    EXPECT(worker.journal.lap_bytes() == 4 * 4 * 6144);
    for (std::uint32_t slice = 0; slice < base::kSlices; ++slice)
      worker.Change(2, base::BucketAt(static_cast<std::uint8_t>(slice), 0), {1, 1, 1});
    worker.EndTurn(disk);
    EXPECT(worker.journal.lap_bytes() == 200'000);
  }

  TEST_CASE("a turn that changes all there is goes into one record, more than a lap") {
    Disk disk;
    Worker worker({.lap_bytes_min = 1000, .lap_bytes_max = 1000, .slots_max = 4});
    for (int turn = 1; turn <= 3; ++turn) {
      for (std::uint32_t bucket = 0; bucket < base::kBuckets; ++bucket)
        worker.Change(1, static_cast<std::uint16_t>(bucket), {1, bucket, 5});
      worker.EndTurn(disk);
      StoredTrees stored;
      REQUIRE(Read(disk, stored).ok());
      EXPECT(Holds(stored, worker));
    }
    EXPECT(worker.journal.slots() <= 4);
  }

  TEST_CASE("a record that is needed and missing shows; one that is not does not") {
    Disk disk;
    Worker worker({.lap_bytes_min = kRecordBytes * 8, .lap_bytes_max = kRecordBytes * 8});
    base::Random random(3);
    for (int turn = 0; turn < 50; ++turn) {
      worker.Change(1, base::BucketAt(static_cast<std::uint8_t>(random.Below(3)), 0),
                    DrawDigest(random));
      worker.EndTurn(disk);
    }
    JournalHeader last{};
    for (const auto& [key, value] : disk.records)
      if (key.size() == kJournalKeyBytes)
        if (const auto header = JournalHeader::Decode(value); header->number > last.number)
          last = *header;
    REQUIRE(last.number == 50);
    REQUIRE(last.oldest < last.number);
    std::size_t needed = 0;
    const Disk whole = disk;
    for (const auto& [key, value] : whole.records) {
      if (key.size() != kJournalKeyBytes) continue;
      const std::uint64_t number = JournalHeader::Decode(value)->number;
      disk = whole;
      disk.records.erase(key);
      StoredTrees stored;
      const base::Status read = Read(disk, stored);
      // The last one is the turn's that never was; a whole turn less is a tree of before.
      if (number == last.number) continue;
      const bool is_needed = number >= last.oldest;
      needed += is_needed ? 1 : 0;
      EXPECT(read.ok() == !is_needed);
      if (is_needed) EXPECT(read.message().find("1 are lost") != std::string::npos);
      if (!is_needed) EXPECT(Holds(stored, worker));
    }
    EXPECT(needed == last.number - last.oldest);
  }

  TEST_CASE("records that are none are refused") {
    Disk disk;
    Worker worker({});
    worker.Change(1, 5, {1, 2, 3});
    worker.Change(2, 6, {1, 2, 3});
    worker.EndTurn(disk);
    const auto [key, whole] = *disk.records.begin();
    const auto read = [&](base::Bytes record_key, const std::string& value) -> base::Status {
      StoredTrees stored;
      RETURN_IF_ERROR(stored.Take(record_key, value));
      return stored.Finish();
    };
    REQUIRE(read(key, whole).ok());
    for (std::size_t size = 0; size < whole.size(); ++size) {
      // Between two keyspaces a record might end.
      if (size == JournalHeader::kSize || size == kRecordBytes) continue;
      EXPECT(read(key, whole.substr(0, size)).code() == base::Code::kCorruption);
    }
    std::string changed = whole;
    SUBCASE("needs a later one") { base::StoreLittle<std::uint64_t>(changed.data() + 8, 2); }
    SUBCASE("needs one that never was") { base::StoreLittle<std::uint64_t>(changed.data() + 8, 0); }
    SUBCASE("of more leaves than there are") {
      base::StoreLittle<std::uint32_t>(changed.data() + JournalHeader::kSize + 4, 0xffffffff);
    }
    EXPECT(read(key, changed).code() == base::Code::kCorruption);
    EXPECT(read("key of 12 b.", whole).code() == base::Code::kCorruption);
    EXPECT(read(PageKey({1, 5}), "no page").code() == base::Code::kCorruption);
    EXPECT(read(LeafKey(1, 5), "no leaf").code() == base::Code::kCorruption);
  }

  TEST_CASE("one number in two slots is refused") {
    Disk disk;
    Worker worker({});
    worker.Change(1, 5, {1, 2, 3});
    worker.EndTurn(disk);
    disk.records[JournalKey({0, 9})] = disk.records.begin()->second;
    StoredTrees stored;
    EXPECT(Read(disk, stored).code() == base::Code::kCorruption);
  }

  TEST_CASE("single leaves, as they once were stored, count last") {
    Disk disk;
    Worker worker({});
    worker.Change(1, 5, {1, 2, 3});
    worker.Change(1, 6, {1, 2, 3});
    worker.EndTurn(disk);
    disk.records[LeafKey(1, 5)] = EncodeLeaf({9, 9, 9});
    StoredTrees stored;
    REQUIRE(Read(disk, stored).ok());
    EXPECT(stored.TreeOf(1).Leaf(5) == Digest{9, 9, 9});
    EXPECT(stored.TreeOf(1).Leaf(6) == Digest{1, 2, 3});
    EXPECT(stored.changed_pages() == std::set<PagePlace>{{1, 5}, {1, 6}});
    EXPECT(stored.journal_keys().size() == 1);
    EXPECT(stored.leaf_keys() == std::vector<std::string>{LeafKey(1, 5)});
  }
}

}  // namespace
}  // namespace starling::merkle
