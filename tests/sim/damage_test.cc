// Goal:   one damaged entry on a replica keeps nothing else from being repaired, and an operator is
//         told: the range is not equal, and why.
// Method: whole nodes; one misses writes, of which one is then damaged on the others' disks.
#include <fmt/core.h>

#include <nlohmann/json.hpp>
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

TEST_SUITE("sim/damage") {
  TEST_CASE("a damaged entry is told of in blocked_by, and all others are repaired") {
    ClusterOptions options{.seed = 5, .nodes = 3, .workers = 2};
    options.config.hints.enabled = false;
    Cluster cluster(options);
    REQUIRE(cluster.AwaitAllUp(base::seconds(30)));
    Sender sender(cluster.sim().AddHost(0x7f000301));
    cluster.Kill(2);
    cluster.sim().RunFor(base::seconds(10));
    const auto key = [](int i) { return fmt::format("key{}", i); };
    for (int i = 0; i < 200; ++i)
      REQUIRE(cluster.Await(cluster.watcher(0).Put(key(i), 1000 + i)).status.ok());
    Spoil(cluster, 0, key(50));
    Spoil(cluster, 1, key(50));
    cluster.Start(2);
    REQUIRE(cluster.AwaitAllUp(base::seconds(60)));
    cluster.sim().RunFor(base::seconds(60));
    for (int i = 0; i < 200; ++i) EXPECT(cluster.StoredValue(2, key(i)).has_value() == (i != 50));
    const auto ranges =
        nlohmann::json::parse(AnswerOf(cluster, sender, 2, "repairstatus"))["ranges"];
    REQUIRE(ranges.size() == 1);
    EXPECT(ranges[0]["equal"] == false);
    REQUIRE(ranges[0]["blocked_by"].size() == 2);
    for (const auto& blocked : ranges[0]["blocked_by"])
      EXPECT(blocked.get<std::string>().find("cannot be read there") != std::string::npos);
  }
}

}  // namespace
}  // namespace starling::sim
