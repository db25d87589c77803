// Goal:   once a commit has failed nothing is answered by what it was to write, in the turn that is
//         still to end either: the process ends with what the disk said, and for that alone.
// Method: a replica over the engine in memory, on a lane that the test runs by hand; the write
//         fails, and the same key is read, and written again, before the turn is over.
#include <memory>
#include <string>

#include "server/replica.h"
#include "storage/memory_engine.h"
#include "tests/server/lane_world.h"
#include "tests/test.h"

namespace starling::server {
namespace {

constexpr base::Version kVersion{.timestamp = 1 << 20, .node = 1, .nonce = 7};

struct Answers final : ReplicaListener {
  bool OnStamp(const Ticket&, const base::Version&, storage::EntryHeader*) override { return true; }
  void OnLocalWrite(const Ticket&, wire::WriteOutcome, const base::Version&,
                    const base::Status&) override {
    ++writes;
  }
  void OnLocalRead(const Ticket&, const base::Status&, const storage::EntryHeader&, base::Bytes,
                   std::uint64_t) override {
    ++reads;
  }
  int writes = 0;
  int reads = 0;
};

// A replica whose write of "key" has just failed.
struct Failed {
  Failed() {
    REQUIRE(replica.Load().ok());
    Write();
    EndTurn();
    disk->FailWrites(base::Io("no space left"));
    world.RunNext();
    REQUIRE(world.exits().size() == 1);
  }
  void Write() {
    const base::Bytes value = "value";
    replica.Write(
        {.keyspace = 1,
         .token = base::TokenOf("key", 0),
         .key = "key",
         .header = {kVersion, 0, storage::ValueDigest(value), storage::Origin::kDirect, 0},
         .value = value,
         .ticket = {Ticket::Kind::kPut, 0, 0, 0}});
  }
  void Read() {
    replica.Read({.keyspace = 1,
                  .token = base::TokenOf("key", 0),
                  .key = "key",
                  .want_value = true,
                  .ticket = {Ticket::Kind::kGet, 0, 0, 0}});
  }
  void EndTurn() {
    while (replica.RunTurn()) {
    }
  }

  std::shared_ptr<storage::MemoryDisk> disk = std::make_shared<storage::MemoryDisk>();
  storage::MemoryEngine engine{disk};
  std::string kept;
  storage::MemoryGuard guard{kept};
  Committer committer{engine, guard, Durability::kGroup};
  LaneWorld world;
  Answers answers;
  Replica replica{world, engine, committer, answers, {}};
};

TEST_SUITE("server/replica: a commit that failed") {
  TEST_CASE("the key is read in the same turn: nobody is answered, and nothing else ends it") {
    Failed node;
    node.Read();
    node.EndTurn();
    EXPECT(node.answers.reads == 0);
    EXPECT(node.answers.writes == 0);
  }

  TEST_CASE("the same write comes again in the same turn: it is not acknowledged") {
    Failed node;
    node.Write();
    node.EndTurn();
    EXPECT(node.answers.writes == 0);
  }

  TEST_CASE("those behind it fail as well, and end nothing more") {
    Failed node;
    node.Write();
    node.Read();
    node.EndTurn();
    while (node.world.waiting() > 0) node.world.RunNext();
    EXPECT(node.answers.writes + node.answers.reads == 0);
    for (const base::Status& why : node.world.exits())
      EXPECT(why.message().find("no space left") != std::string::npos);
  }
}

}  // namespace
}  // namespace starling::server
