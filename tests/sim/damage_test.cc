// Goal:   what is damaged on a replica is never answered, and comes back from the others; meanwhile
//         it keeps nothing else from being repaired, and an operator is told.
// Method: whole nodes, on whose disks single entries are damaged.
#include <fmt/core.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "storage/entry.h"
#include "tests/sim/admin_answer.h"

namespace starling::sim {
namespace {

void Spoil(Cluster& cluster, std::uint32_t node, const std::string& key) {
  std::string data_key;
  storage::EncodeDataKeyTo({1, cluster.TokenOf(key), key}, data_key);
  storage::Batch batch;
  batch.Put(storage::Family::kData, data_key, "no entry");
  const storage::Batch* const batches[] = {&batch};
  REQUIRE(cluster.engine(node).Write(batches, storage::Sync::kYes).ok());
}

// A bit of the value, which is then not what its digest was made of.
void FlipValue(Cluster& cluster, std::uint32_t node, const std::string& key) {
  std::string data_key;
  storage::EncodeDataKeyTo({1, cluster.TokenOf(key), key}, data_key);
  auto stored = storage::GetOne(cluster.engine(node), storage::Family::kData, data_key);
  REQUIRE(stored.has_value());
  stored->back() = static_cast<char>(stored->back() ^ 1);
  storage::Batch batch;
  batch.Put(storage::Family::kData, data_key, *stored);
  const storage::Batch* const batches[] = {&batch};
  REQUIRE(cluster.engine(node).Write(batches, storage::Sync::kYes).ok());
}

ClusterOptions Scrubbing(std::uint64_t seed) {
  ClusterOptions options{.seed = seed, .nodes = 3, .workers = 2};
  options.config.scrub.interval = base::seconds(20);
  return options;
}

std::string KeyAt(int i) { return fmt::format("key{}", i); }

// Waits until all are up, and until all have them.
void PutFifty(Cluster& cluster) {
  REQUIRE(cluster.AwaitAllUp(base::seconds(30)));
  for (int i = 0; i < 50; ++i)
    REQUIRE(cluster.Await(cluster.watcher(0).Put(KeyAt(i), 1000 + i)).status.ok());
  cluster.sim().RunFor(base::seconds(1));
}

TEST_SUITE("sim/damage") {
  TEST_CASE("a damaged entry is told of in blocked_by, and all others are repaired") {
    ClusterOptions options{.seed = 5, .nodes = 3, .workers = 2};
    options.config.hints.enabled = false;
    Cluster cluster(options);
    REQUIRE(cluster.AwaitAllUp(base::seconds(30)));
    // With it the damage stays: who met it reads all tables, and waits for an operator's word.
    const auto& created = cluster.watcher(0).CreateKeyspace("single", "simple:1");
    REQUIRE(cluster.sim().Await(base::seconds(30), [&] { return created.has_value(); }));
    REQUIRE(created->ok());
    Sender sender(cluster.sim().AddHost(0x7f000301));
    cluster.Kill(2);
    cluster.sim().RunFor(base::seconds(10));
    for (int i = 0; i < 200; ++i)
      REQUIRE(cluster.Await(cluster.watcher(0).Put(KeyAt(i), 1000 + i)).status.ok());
    Spoil(cluster, 0, KeyAt(50));
    Spoil(cluster, 1, KeyAt(50));
    cluster.Start(2);
    REQUIRE(cluster.AwaitAllUp(base::seconds(60)));
    cluster.sim().RunFor(base::seconds(60));
    for (int i = 0; i < 200; ++i) EXPECT(cluster.StoredValue(2, KeyAt(i)).has_value() == (i != 50));
    const auto ranges =
        nlohmann::json::parse(AnswerOf(cluster, sender, 2, "repairstatus"))["ranges"];
    REQUIRE(!ranges.empty());
    EXPECT(ranges[0]["equal"] == false);
    REQUIRE(ranges[0]["blocked_by"].size() == 2);
    for (const auto& blocked : ranges[0]["blocked_by"])
      EXPECT(blocked.get<std::string>().find("cannot be read there") != std::string::npos);
  }

  TEST_CASE("a damaged value is not answered, but another replica's") {
    Cluster cluster({.seed = 6, .nodes = 3, .workers = 2});
    REQUIRE(cluster.AwaitAllUp(base::seconds(30)));
    SimClient& client = cluster.AddClientOf(0, {.session = {}, .level = wire::Consistency::kOne});
    const std::uint64_t value = cluster.history().NextValue();
    REQUIRE(cluster.Await(cluster.watcher(0).Put("key", value)).status.ok());
    cluster.sim().RunFor(base::seconds(1));
    FlipValue(cluster, 0, "key");
    const Record& get = cluster.Await(client.Get("key"));
    REQUIRE(get.status.ok());
    EXPECT(get.operation.value == value);
  }

  TEST_CASE("a scrub finds what is damaged, and the node has it from the others again") {
    Cluster cluster(Scrubbing(7));
    PutFifty(cluster);
    const auto before = cluster.StoredValue(1, KeyAt(20));
    FlipValue(cluster, 1, KeyAt(20));
    Spoil(cluster, 1, KeyAt(30));
    // It ends itself to begin another life: never two at once.
    const auto ended = [&] { return !cluster.up(1); };
    REQUIRE(cluster.sim().Await(base::seconds(120), ended));
    EXPECT(cluster.up(0));
    EXPECT(cluster.up(2));
    cluster.Start(1);
    REQUIRE(cluster.AwaitAllUp(base::seconds(60)));
    cluster.sim().RunFor(base::seconds(20));
    EXPECT(cluster.StoredValue(1, KeyAt(20)) == before);
    for (int i = 0; i < 50; ++i) EXPECT(cluster.StoredValue(1, KeyAt(i)).has_value());
  }

  TEST_CASE("damage that repair alone meets is found by it, and healed") {
    ClusterOptions options{.seed = 11, .nodes = 3, .workers = 2};
    options.config.hints.enabled = false;
    options.config.scrub.interval = {};  // None begins by itself.
    Cluster cluster(options);
    PutFifty(cluster);
    cluster.Kill(2);
    cluster.sim().RunFor(base::seconds(10));
    REQUIRE(cluster.Await(cluster.watcher(0).Put("missed", 7)).status.ok());
    cluster.sim().RunFor(base::seconds(1));
    const auto before = cluster.StoredValue(0, "missed");
    REQUIRE(before.has_value());
    FlipValue(cluster, 1, "missed");
    // Node 2 misses it, and there is nobody else to have it from.
    cluster.Kill(0);
    cluster.Start(2);
    cluster.sim().RunFor(base::seconds(30));
    EXPECT(!cluster.StoredValue(2, "missed").has_value());
    cluster.Start(0);
    const auto ended = [&] { return !cluster.up(1); };
    REQUIRE(cluster.sim().Await(base::seconds(120), ended));
    cluster.Start(1);
    REQUIRE(cluster.AwaitAllUp(base::seconds(60)));
    cluster.sim().RunFor(base::seconds(20));
    for (const std::uint32_t node : {0U, 1U, 2U})
      EXPECT(cluster.StoredValue(node, "missed") == before);
  }

  TEST_CASE("what is damaged on two of three replicas comes back from the third") {
    for (std::uint64_t seed = 20; seed < 25; ++seed) {
      DOCTEST_INFO("seed ", seed);
      Cluster cluster(Scrubbing(seed));
      PutFifty(cluster);
      std::map<std::string, std::optional<std::string>> before;
      for (const int i : {3, 10, 20, 49}) {
        before[KeyAt(i)] = cluster.StoredValue(2, KeyAt(i));
        FlipValue(cluster, 0, KeyAt(i));
        FlipValue(cluster, 1, KeyAt(i));
      }
      SimClient& client = cluster.AddClientOf(2, {.session = {}});
      int ends[3] = {};
      for (int i = 0; i < 600 && (ends[0] == 0 || ends[1] == 0); ++i) {
        cluster.sim().RunFor(base::milliseconds(500));
        for (const std::uint32_t node : {0U, 1U, 2U}) {
          if (cluster.up(node)) continue;
          EXPECT(node != 2);
          ++ends[node];
          cluster.Start(node);
        }
        // Never another value at QUORUM: as it was, or an error while too few can read it.
        if (i % 10 != 0) continue;
        const Record& get = cluster.Await(client.Get(KeyAt(10)));
        if (get.status.ok()) EXPECT(get.operation.value == 1010);
      }
      EXPECT(ends[0] == 1);
      EXPECT(ends[1] == 1);
      REQUIRE(cluster.AwaitAllUp(base::seconds(60)));
      cluster.sim().RunFor(base::seconds(20));
      for (const std::uint32_t node : {0U, 1U, 2U})
        for (const auto& [key, value] : before) EXPECT(cluster.StoredValue(node, key) == value);
    }
  }

  TEST_CASE("two nodes that find damage at once heal one after the other, and nothing is lost") {
    Cluster cluster(Scrubbing(10));
    PutFifty(cluster);
    const auto first = cluster.StoredValue(0, KeyAt(10));
    const auto second = cluster.StoredValue(1, KeyAt(20));
    FlipValue(cluster, 0, KeyAt(10));
    FlipValue(cluster, 1, KeyAt(20));
    int ends[2] = {};
    for (int i = 0; i < 400 && (ends[0] == 0 || ends[1] == 0); ++i) {
      cluster.sim().RunFor(base::milliseconds(500));
      for (const std::uint32_t node : {0U, 1U}) {
        if (cluster.up(node)) continue;
        EXPECT(cluster.up(1 - node));
        ++ends[node];
        cluster.Start(node);
      }
    }
    EXPECT(ends[0] == 1);
    EXPECT(ends[1] == 1);
    REQUIRE(cluster.AwaitAllUp(base::seconds(60)));
    cluster.sim().RunFor(base::seconds(20));
    EXPECT(cluster.StoredValue(0, KeyAt(10)) == first);
    EXPECT(cluster.StoredValue(1, KeyAt(20)) == second);
  }

  TEST_CASE("with a keyspace of one replica an operator has to say that damage may go") {
    ClusterOptions options{.seed = 9, .nodes = 3, .workers = 2};
    options.config.scrub.interval = base::seconds(20);
    Cluster cluster(options);
    REQUIRE(cluster.AwaitAllUp(base::seconds(30)));
    SimClient& client = cluster.watcher(0);
    const auto& created = client.CreateKeyspace("single", "simple:1");
    REQUIRE(cluster.sim().Await(base::seconds(30), [&] { return created.has_value(); }));
    REQUIRE(created->ok());
    REQUIRE(cluster.Await(client.Put("key", 1)).status.ok());
    FlipValue(cluster, 0, "key");
    cluster.sim().RunFor(base::seconds(120));
    EXPECT(cluster.up(0));
    Sender sender(cluster.sim().AddHost(0x7f000301));
    const auto status = nlohmann::json::parse(AnswerOf(cluster, sender, 0, "scrubstatus"));
    EXPECT(status["healing"].get<std::string>().find("'single' has one replica") !=
           std::string::npos);
  }

  TEST_CASE("a node that catches up waits for that word too, and stays up") {
    ClusterOptions options{.seed = 9, .nodes = 3, .workers = 2};
    options.config.scrub.interval = base::seconds(20);
    Cluster cluster(options);
    REQUIRE(cluster.AwaitAllUp(base::seconds(30)));
    const auto& created = cluster.watcher(0).CreateKeyspace("single", "simple:1");
    REQUIRE(cluster.sim().Await(base::seconds(30), [&] { return created.has_value(); }));
    REQUIRE(created->ok());
    REQUIRE(cluster.Await(cluster.watcher(0).Put("key", 1)).status.ok());
    FlipValue(cluster, 0, "key");
    const Cluster::DiskCopy older = cluster.CopyDisk(0);
    for (int i = 0; i < 50; ++i)
      REQUIRE(cluster.Await(cluster.watcher(1).Put(KeyAt(i), 1000 + i)).status.ok());
    cluster.config(0).repair.enabled = false;  // So it goes on catching up.
    cluster.Kill(0);
    cluster.PutBack(0, older, Cluster::GuardFile::kPutBackToo);  // Its peers remember more.
    cluster.Start(0);
    cluster.sim().RunFor(base::seconds(10));
    REQUIRE(!cluster.up(0));  // It ended to begin anew.
    cluster.Start(0);
    cluster.sim().RunFor(base::seconds(120));
    REQUIRE(cluster.up(0));
    EXPECT(!cluster.SnapshotOf(0)->ready());
    Sender sender(cluster.sim().AddHost(0x7f000301));
    const auto status = nlohmann::json::parse(AnswerOf(cluster, sender, 0, "scrubstatus"));
    EXPECT(status["healing"].get<std::string>().find("'single' has one replica") !=
           std::string::npos);
  }

  TEST_CASE("damage that no other node could make up for stays, and the node serves the rest") {
    ClusterOptions options{.seed = 8, .nodes = 1, .workers = 2};
    options.config.scrub.interval = base::seconds(20);
    Cluster cluster(options);
    REQUIRE(cluster.AwaitAllUp(base::seconds(30)));
    REQUIRE(cluster.Await(cluster.watcher(0).Put("sound", 1)).status.ok());
    REQUIRE(cluster.Await(cluster.watcher(0).Put("damaged", 2)).status.ok());
    FlipValue(cluster, 0, "damaged");
    cluster.sim().RunFor(base::seconds(90));
    EXPECT(cluster.up(0));
    Sender sender(cluster.sim().AddHost(0x7f000301));
    const auto status = nlohmann::json::parse(AnswerOf(cluster, sender, 0, "scrubstatus"));
    EXPECT(status["damaged_tables"] > 0);
    EXPECT(status["damage"].get<std::string>().find("value") != std::string::npos);
    const auto healing = status["healing"].get<std::string>();
    EXPECT(healing.find("no other node has the data") != std::string::npos);
    EXPECT(healing.find("--accept-data-loss") != std::string::npos);
    const auto warnings = nlohmann::json::parse(AnswerOf(cluster, sender, 0, "status"))["warnings"];
    REQUIRE(!warnings.empty());
    EXPECT(warnings[0].get<std::string>().find("damaged") != std::string::npos);
    EXPECT(cluster.Await(cluster.watcher(0).Get("sound")).status.ok());
    EXPECT(!cluster.Await(cluster.watcher(0).Get("damaged")).status.ok());
  }
}

}  // namespace
}  // namespace starling::sim
