// Goal:   a start that has less than was acknowledged knows so, and goes on only as a loss.
// Method: lives on one disk whose guard says more or less; marks of others.
#include "server/absence.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "merkle/tree.h"
#include "server/peer_marks.h"
#include "server/purge/dead.h"
#include "server/purge/marks.h"
#include "server/stored_trees.h"
#include "server/tree_making.h"
#include "server/tree_rebuild.h"
#include "storage/entry.h"
#include "storage/memory_engine.h"
#include "tests/test.h"

namespace starling::server {
namespace {

using storage::Family;

base::Status WriteOne(storage::Engine& engine, const storage::Batch& batch) {
  const storage::Batch* const batches[] = {&batch};
  return engine.Write(batches, storage::Sync::kYes);
}

// A directory through its lives: what is on its disk, and in its guard file.
struct DirectoryLives {
  std::shared_ptr<storage::MemoryDisk> disk = std::make_shared<storage::MemoryDisk>();
  storage::MemoryEngine engine{disk};
  std::string file;

  base::Result<NodeIdentity> Begin(std::string damage = {}, bool accept = false) {
    std::optional<storage::GuardRecord> last;
    if (!file.empty()) last = *storage::DecodeGuard(file);
    storage::MemoryGuard guard(file);
    return BeginLife(engine, guard,
                     {.identity = {{1, 2}, "test", {3, 4}},
                      .last = last,
                      .damage = std::move(damage),
                      .accept_loss = accept});
  }
  // As if the node were a member of a cluster of so many.
  void SetGuard(std::uint64_t boot, std::uint64_t mark, std::uint32_t members = 3,
                const storage::Irreplaceable& irreplaceable = {}) {
    file = storage::EncodeGuard({.host = {1, 2},
                                 .cluster_id = {3, 4},
                                 .boot = boot,
                                 .mark = mark,
                                 .clock_bound = 77,
                                 .members = members,
                                 .irreplaceable = irreplaceable});
  }
};

TEST_SUITE("absence") {
  TEST_CASE("a start that recovers what the guard says has lost nothing") {
    DirectoryLives directory;
    const auto first = directory.Begin();
    REQUIRE(first.has_value());
    EXPECT(first->boot == 1);
    EXPECT(!first->loss.any());
    const auto second = directory.Begin();
    REQUIRE(second.has_value());
    EXPECT(second->boot == 2);
    EXPECT(!second->loss.any());
  }

  TEST_CASE("fewer changes than the guard says are a loss, until the node is ready again") {
    DirectoryLives directory;
    REQUIRE(directory.Begin().has_value());
    directory.SetGuard(1, directory.engine.sequence() + 5);
    const auto hurt = directory.Begin();
    REQUIRE(hurt.has_value());
    EXPECT(hurt->loss.boot == 2);
    EXPECT(hurt->loss.reason.find("5 changes are lost") != std::string::npos);
    EXPECT(hurt->clock_floor == 77);
    const auto again = directory.Begin();
    REQUIRE(again.has_value());
    EXPECT(again->loss == hurt->loss);
    storage::Batch batch;
    SaveLoss(batch, {});
    REQUIRE(WriteOne(directory.engine, batch).ok());
    EXPECT(!directory.Begin()->loss.any());
  }

  TEST_CASE("purge's marks go with a loss, and its counts are to be made anew with the trees") {
    DirectoryLives directory;
    REQUIRE(directory.Begin().has_value());
    storage::Batch batch;
    purge::Marks marks;
    marks.Purge(1, 77, 1000);
    marks.Close(2, 99, 2000);
    marks.StoreDirty(batch);
    purge::DeadCounts wrong;
    const storage::EntryHeader tombstone{.version = {5 << 16, 1, 1},
                                         .flags = storage::kFlagTombstone};
    wrong.Add(1, 78, tombstone, 20);
    wrong.StoreDirty(batch);
    REQUIRE(WriteOne(directory.engine, batch).ok());
    const auto records = [&](base::Bytes prefix) {
      std::size_t count = 0;
      const auto cursor = directory.engine.Scan(Family::kMeta, prefix, {});
      for (cursor->Seek(prefix); cursor->Valid() && cursor->key().starts_with(prefix);
           cursor->Next())
        ++count;
      return count;
    };
    REQUIRE(directory.Begin().has_value());
    EXPECT(records(purge::Marks::kPrefix) == 2);
    EXPECT(records(purge::DeadCounts::kPrefix) == 1);

    directory.SetGuard(2, directory.engine.sequence() + 5);
    REQUIRE(directory.Begin()->loss.any());
    EXPECT(records(purge::Marks::kPrefix) == 0);
    EXPECT(records(purge::DeadCounts::kPrefix) == 1);  // Replica::Load drops it, by the records.
    EXPECT(records(TreeMaking::kPrefix) == base::kSlices);
  }

  TEST_CASE("a start puts trees of an earlier version into pages, and says so in the format") {
    DirectoryLives directory;
    REQUIRE(directory.Begin().has_value());
    storage::Batch before;
    before.Put(Family::kMeta, "format", std::string("\x01\0\0\0", 4));
    before.Put(Family::kTree, merkle::LeafKey(1, 77), merkle::EncodeLeaf({1, 2, 3}));
    REQUIRE(WriteOne(directory.engine, before).ok());
    REQUIRE(directory.Begin().has_value());
    const auto format = storage::GetOne(directory.engine, Family::kMeta, "format");
    EXPECT(*format == std::string("\x02\0\0\0", 4));
    EXPECT(!storage::GetOne(directory.engine, Family::kTree, merkle::LeafKey(1, 77)).has_value());
    const auto stored = ReadTrees(directory.engine);
    REQUIRE(stored.has_value());
    EXPECT(stored->only_pages());
    EXPECT(stored->trees().at(1)->Leaf(77) == merkle::Digest{1, 2, 3});
    EXPECT(CheckTreesMade(directory.engine).ok());
  }

  TEST_CASE("a start that is cut off before it wrote of a loss leaves it to be found again") {
    DirectoryLives directory;
    REQUIRE(directory.Begin().has_value());
    storage::Batch leaves;
    for (std::uint32_t bucket = 0; bucket < 5000; ++bucket)
      leaves.Put(Family::kTree, merkle::LeafKey(1, static_cast<std::uint16_t>(bucket)),
                 merkle::EncodeLeaf({.count = 1, .low = 2, .high = 3}));
    REQUIRE(WriteOne(directory.engine, leaves).ok());
    directory.SetGuard(1, directory.engine.sequence() + 5);
    const std::uint64_t recovered = directory.engine.sequence();
    directory.disk->FailSyncs(base::Io("cut off"));
    EXPECT(!directory.Begin().has_value());
    EXPECT(directory.engine.sequence() == recovered);
    directory.disk->FailSyncs(base::Ok());
    EXPECT(directory.Begin()->loss.any());
  }

  TEST_CASE("an older copy is a loss, and no boot number comes twice") {
    DirectoryLives directory;
    REQUIRE(directory.Begin().has_value());
    directory.SetGuard(9, 0);
    const auto life = directory.Begin();
    REQUIRE(life.has_value());
    EXPECT(life->boot == 10);
    EXPECT(life->loss.boot == 10);
  }

  TEST_CASE("a guard of another host is refused") {
    DirectoryLives directory;
    directory.file = storage::EncodeGuard({{9, 9}, {3, 4}, 1, 0, 0, 3});
    const auto life = directory.Begin();
    REQUIRE(!life.has_value());
    EXPECT(life.error().code() == base::Code::kFailedPrecondition);
  }

  TEST_CASE("a node alone is told, and goes on only if that is accepted") {
    DirectoryLives directory;
    REQUIRE(directory.Begin().has_value());
    directory.SetGuard(1, directory.engine.sequence() + 1, 1);
    const auto refused = directory.Begin();
    REQUIRE(!refused.has_value());
    EXPECT(refused.error().message().find("--accept-data-loss") != std::string::npos);
    const auto accepted = directory.Begin({}, true);
    REQUIRE(accepted.has_value());
    EXPECT(!accepted->loss.any());
  }

  TEST_CASE("what a keyspace of one replica lost goes only if that is accepted, as a loss") {
    DirectoryLives directory;
    REQUIRE(directory.Begin().has_value());
    directory.SetGuard(1, directory.engine.sequence() + 1, 3,
                       {.keyspaces = {{7, "single"}}, .more = false});
    const auto refused = directory.Begin();
    REQUIRE(!refused.has_value());
    for (const char* word : {"1 changes are lost", "'single' has one", "--accept-data-loss"})
      EXPECT(refused.error().message().find(word) != std::string::npos);
    // Tables that were taken out before held nothing of it; what the log lost may.
    EXPECT(!directory.Begin("a table is damaged").has_value());
    const auto accepted = directory.Begin({}, true);
    REQUIRE(accepted.has_value());
    EXPECT(accepted->loss.any());
    const auto last = storage::DecodeGuard(directory.file);
    REQUIRE(last.has_value());
    EXPECT(last->irreplaceable.keyspaces.size() == 1);  // Until control knows better.
    EXPECT(directory.Begin("a table is damaged")->loss.any());
  }

  TEST_CASE("what others remember: older lives, this one, and a number used twice") {
    // recovered 100 at start 5, 150 synced by now.
    const auto against = [](Mark mark, std::uint64_t back = 0) {
      return LossAgainst(mark, 5, 100, 150, back);
    };
    EXPECT(against({}).empty());
    EXPECT(against({4, 100}).empty());
    EXPECT(!against({4, 101}).empty());
    EXPECT(against({5, 150}).empty());
    EXPECT(!against({5, 151}).empty());
    EXPECT(!against({6, 1}).empty());
    EXPECT(against({4, 101}, 5).empty());  // Of before it came back.
  }

  TEST_CASE("marks of peers: the highest of each, over a restart") {
    PeerMarks marks;
    marks.Note(7, {2, 10});
    marks.Note(7, {1, 99});
    marks.Note(8, {1, 5});
    PeerMarks loaded;
    REQUIRE(loaded.Load(marks.Encode()).ok());
    EXPECT(loaded.Of(7) == Mark{2, 10});
    EXPECT(loaded.Of(8) == Mark{1, 5});
    EXPECT(loaded.Of(9) == Mark{});
    EXPECT(loaded.Load("x").code() == base::Code::kCorruption);
  }
}

}  // namespace
}  // namespace starling::server
