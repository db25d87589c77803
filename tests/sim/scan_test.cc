// Goal:   a scan at QUORUM gives every acknowledged row although nodes die and stop in its midst.
// Method: whole nodes; a scan in small pages by way of one node, while the test harms others.
#include <fmt/core.h>

#include <functional>
#include <map>

#include "tests/sim/cluster.h"
#include "tests/test.h"

namespace starling::sim {
namespace {

using base::milliseconds;
using base::seconds;

constexpr int kRows = 300;
constexpr std::uint32_t kPageBytes = 4096;

// Puts rows at QUORUM and gives those that were acknowledged.
std::multimap<std::string, std::string> Load(Cluster& cluster) {
  SimClient& client = cluster.AddClient();
  std::vector<History::Id> ids;
  ids.reserve(kRows);
  for (int i = 0; i < kRows; ++i)
    ids.push_back(client.Put(fmt::format("row {}", i), cluster.history().NextValue()));
  REQUIRE(cluster.AwaitIdle(seconds(60)));
  std::multimap<std::string, std::string> rows;
  for (const History::Id id : ids) {
    const Record& record = cluster.history().record(id);
    if (record.status.ok()) rows.emplace(record.key, ValueBytes(record.operation.value));
  }
  return rows;
}

struct Scanned {
  std::multimap<std::string, std::string> expected;
  SimScan scan;
};

// Scans by way of node 0; after each page `harm` gets the cluster and the count of pages so far.
Scanned ScanWhile(Cluster& cluster, const std::function<void(Cluster&, unsigned)>& harm) {
  REQUIRE(cluster.AwaitAllUp(seconds(60)));
  Scanned result;
  result.expected = Load(cluster);
  const SimScan& scan = cluster.watcher(0).Scan(wire::Consistency::kQuorum, kPageBytes);
  for (unsigned seen = 0; !scan.done;) {
    REQUIRE(cluster.sim().Await(seconds(60), [&] { return scan.done || scan.pages > seen; }));
    seen = scan.pages;
    if (!scan.done) harm(cluster, seen);
  }
  result.scan = scan;
  return result;
}

ClusterOptions Nodes(std::uint64_t seed, std::uint32_t nodes) {
  ClusterOptions options{.seed = seed, .nodes = nodes};
  options.config.repair.enabled = false;  // Nothing but the scan makes up for what a node lacks.
  return options;
}

TEST_SUITE("sim/scan") {
  TEST_CASE("one of three nodes dies: every acknowledged row comes, once") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      Cluster cluster(Nodes(seed, 3));
      const Scanned result = ScanWhile(cluster, [](Cluster& nodes, unsigned pages) {
        if (pages == 3) nodes.Kill(1);
      });
      DOCTEST_INFO("seed ", seed, ": ", result.scan.status.ToString());
      EXPECT(result.scan.status.ok());
      EXPECT(result.scan.pages > 6);
      EXPECT(result.expected.size() > kRows / 2);
      EXPECT(result.scan.rows == result.expected);
    }
  }

  TEST_CASE("one of three nodes stops: the scan passes it by, and hardly waits") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      Cluster cluster(Nodes(seed, 3));
      base::Instant stopped{};
      const Scanned result = ScanWhile(cluster, [&](Cluster& nodes, unsigned pages) {
        if (pages != 3) return;
        stopped = nodes.sim().now();
        nodes.host(2).Pause(seconds(30));
      });
      DOCTEST_INFO("seed ", seed, ": ", result.scan.status.ToString());
      EXPECT(result.scan.status.ok());
      EXPECT(result.scan.rows == result.expected);
      EXPECT(cluster.sim().now() - stopped < seconds(20));  // Long before it goes on.
    }
  }

  TEST_CASE("one of five dies and one stops for a second: what has no quorum is waited for") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      Cluster cluster(Nodes(seed, 5));
      const Scanned result = ScanWhile(cluster, [](Cluster& nodes, unsigned pages) {
        if (pages == 3) nodes.Kill(1);
        if (pages == 4) nodes.host(2).Pause(seconds(1));
      });
      DOCTEST_INFO("seed ", seed, ": ", result.scan.status.ToString());
      EXPECT(result.scan.status.ok());
      EXPECT(result.scan.rows == result.expected);
    }
  }

  TEST_CASE("two of three die and one comes back at once: the scan goes on with it") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      Cluster cluster(Nodes(seed, 3));
      const Scanned result = ScanWhile(cluster, [](Cluster& nodes, unsigned pages) {
        if (pages != 3) return;
        nodes.Kill(1);
        nodes.Kill(2);
        nodes.Start(2);
      });
      DOCTEST_INFO("seed ", seed, ": ", result.scan.status.ToString());
      EXPECT(result.scan.status.ok());
      EXPECT(result.scan.rows == result.expected);
    }
  }
}

}  // namespace
}  // namespace starling::sim
