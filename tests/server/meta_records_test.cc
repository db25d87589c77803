// Goal:   what control saved is what it finds after a restart, each record by itself.
// Method: the records over the engine in memory, missing, saved, saved again, and damaged.
#include "server/meta_records.h"

#include <memory>

#include "storage/identity.h"
#include "storage/memory_engine.h"
#include "tests/test.h"

namespace starling::server {
namespace {

struct MetaDirectory {
  std::shared_ptr<storage::MemoryDisk> disk = std::make_shared<storage::MemoryDisk>();
  storage::MemoryEngine engine{disk};

  void Write(const storage::Batch& batch) {
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(engine.Write(batches, storage::Sync::kYes).ok());
  }
  StoredTopology Load() {
    auto stored = LoadTopology(engine);
    REQUIRE(stored.has_value());
    return *std::move(stored);
  }
};

TEST_SUITE("server/meta_records") {
  TEST_CASE("a new directory has no topology, no acceptor's state, and is not ready") {
    MetaDirectory directory;
    const StoredTopology stored = directory.Load();
    EXPECT(stored.topology.empty());
    EXPECT(stored.acceptor.empty());
    EXPECT(!stored.ready);
  }

  TEST_CASE("topology and acceptor come back as they were saved, any bytes, the last ones") {
    MetaDirectory directory;
    const std::string topology("\0topology\xff", 10), acceptor("accept\0or", 9);
    storage::Batch batch;
    SaveTopology(batch, "older", "older, too");
    SaveTopology(batch, topology, acceptor);
    directory.Write(batch);
    EXPECT(directory.Load().topology == topology);
    EXPECT(directory.Load().acceptor == acceptor);
    EXPECT(!directory.Load().ready);
  }

  TEST_CASE(
      "a promise made before there is a topology leaves none, and one made later the one there") {
    MetaDirectory directory;
    storage::Batch promise;
    SaveTopology(promise, "", "promised 5");
    directory.Write(promise);
    EXPECT(directory.Load().topology.empty());
    EXPECT(directory.Load().acceptor == "promised 5");

    storage::Batch learned, later;
    SaveTopology(learned, "epoch 1", "accepted 5");
    directory.Write(learned);
    SaveTopology(later, "", "promised 6");
    directory.Write(later);
    EXPECT(directory.Load().topology == "epoch 1");
    EXPECT(directory.Load().acceptor == "promised 6");
  }

  TEST_CASE("ready is what was saved last, beside the topology") {
    MetaDirectory directory;
    for (const bool ready : {true, false, true}) {
      storage::Batch batch;
      SaveTopology(batch, "epoch 1", "state");
      SaveReady(batch, ready);
      directory.Write(batch);
      EXPECT(directory.Load().ready == ready);
      EXPECT(directory.Load().topology == "epoch 1");
    }
  }

  TEST_CASE("a record of readiness that we did not write is no readiness") {
    MetaDirectory directory;
    for (const base::Bytes record : {base::Bytes(""), base::Bytes("1"), base::Bytes("\1\1")}) {
      storage::Batch batch;
      batch.Put(storage::Family::kMeta, "ready", record);
      directory.Write(batch);
      EXPECT(!directory.Load().ready);
    }
  }

  TEST_CASE("an identity beside them is not touched, nor touches them") {
    MetaDirectory directory;
    const storage::Identity identity{.host = {1, 2}, .cluster_name = "orders"};
    storage::Batch batch;
    SaveIdentity(batch, identity);
    SaveTopology(batch, "epoch 1", "state");
    SaveReady(batch, true);
    directory.Write(batch);
    EXPECT(*storage::LoadIdentity(directory.engine).value() == identity);
    EXPECT(directory.Load().topology == "epoch 1");
    EXPECT(directory.Load().ready);
  }
}

}  // namespace
}  // namespace starling::server
