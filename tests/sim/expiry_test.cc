// Goal:   an entry with a TTL is there until its expiry and not from then on, to the second;
//         replicas with clocks apart stay equal before and after; and it leaves every disk.
// Method: five nodes whose clocks are up to 250 ms either way; puts with TTLs of 2 to 12 s, read
//         through each node just before and just after; purge at short intervals.
#include <fmt/core.h>

#include <string>
#include <vector>

#include "tests/sim/cluster.h"
#include "tests/test.h"

namespace starling::sim {
namespace {

using base::milliseconds;
using base::seconds;

constexpr std::int64_t kSkewMs = 250;

TEST_SUITE("sim/expiry") {
  TEST_CASE("a TTL is exact to the second, with clocks apart, and replicas stay equal") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      DOCTEST_INFO("seed ", seed);
      ClusterOptions options{.seed = seed};
      options.config.purge.interval = milliseconds(500);
      options.config.purge.horizon = server::PurgeHorizonMin(options.config);
      Cluster cluster(options);
      REQUIRE(cluster.AwaitAllUp(seconds(30)));
      base::Random random(seed);
      for (std::uint32_t node = 0; node < cluster.size(); ++node)
        cluster.host(node).SetWallOffset(random.Between(-kSkewMs, kSkewMs));
      struct Put {
        std::string key;
        base::Instant expires;  // By the simulation's clock; the stamp's may be kSkewMs away.
      };
      std::vector<Put> puts;
      for (int i = 0; i < 20; ++i) {
        const base::Duration ttl = seconds(2 + i % 11);
        const auto by = static_cast<std::uint32_t>(random.Below(cluster.size()));
        const std::string key = fmt::format("expiring {}", i);
        const base::Instant before = cluster.sim().now();
        const auto id = cluster.watcher(by).Put(key, cluster.history().NextValue(), ttl);
        REQUIRE(cluster.Await(id).status.ok());
        puts.push_back({key, before + ttl});
      }
      std::sort(puts.begin(), puts.end(),
                [](const Put& a, const Put& b) { return a.expires < b.expires; });
      const auto seen = [&](const Put& put) {
        const auto by = static_cast<std::uint32_t>(random.Below(cluster.size()));
        const Record& read = cluster.Await(cluster.watcher(by).Get(put.key));
        REQUIRE(read.status.ok());
        return read.operation.value != 0;
      };
      for (const Put& put : puts) {
        const base::Instant early = put.expires - seconds(1);
        if (cluster.sim().now() < early) {
          cluster.sim().RunFor(early - cluster.sim().now());
          EXPECT(seen(put));
        }
      }
      for (const Put& put : puts) {
        const base::Instant late = put.expires + seconds(1);
        if (cluster.sim().now() < late) cluster.sim().RunFor(late - cluster.sim().now());
        EXPECT(!seen(put));
      }
      const auto entries = [&] {
        std::size_t count = 0;
        for (const Put& put : puts)
          for (std::uint32_t node = 0; node < cluster.size(); ++node)
            count += cluster.HasEntry(node, put.key) ? 1 : 0;
        return count;
      };
      EXPECT(cluster.sim().Await(seconds(60), [&] { return entries() == 0; }));
      cluster.sim().RunFor(seconds(5));
      const auto unequal = cluster.CheckReplicas();
      DOCTEST_INFO(unequal.value_or(""));
      EXPECT(!unequal.has_value());
      EXPECT(!cluster.CheckTrees().has_value());
      EXPECT(cluster.exits().empty());
    }
  }
}

}  // namespace
}  // namespace starling::sim
