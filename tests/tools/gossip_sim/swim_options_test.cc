// Goal:   a course that makes no sense is refused by the flag that is wrong, and not played.
// Method: options by hand.
#include "tools/gossip_sim/swim_options.h"

#include <cmath>
#include <string>

#include "tests/test.h"
#include "tools/gossip_sim/swim_sim.h"

namespace starling::gossip_sim {
namespace {

std::string Refusal(const SwimOptions& options) {
  const base::Result<SwimReport> report = RunSwim(options);
  REQUIRE(!report.has_value());
  return report.error().message();
}

TEST_SUITE("tools/gossip_sim/swim_options") {
  TEST_CASE("options that make no sense are refused by name") {
    EXPECT(Refusal({.nodes = 1, .kill = 0}) == "--nodes is 1, and must be 2 to 10000");
    EXPECT(Refusal({.nodes = 3, .kill = 2, .pause = 1}) ==
           "--kill 2 and --pause 1 leave none of 3 nodes to observe");
    EXPECT(Refusal({.nodes = 3, .kill = ~0U, .pause = 1}).starts_with("--kill 4294967295"));
    EXPECT(Refusal({.loss = 1}).starts_with("--loss is 1"));
    EXPECT(Refusal({.loss = std::nan("")}).starts_with("--loss is nan"));
    EXPECT(Refusal({.loss = -0.1}).starts_with("--loss is -0.1"));
    EXPECT(Refusal({.nodes = 3, .kill = 1, .one_way = 4}) ==
           "--one-way is 4, and must be at most 3, half of all ways between 3 nodes");
    EXPECT(Refusal({.nodes = 3, .elsewhere = 3}) ==
           "--elsewhere is 3, and must be below --nodes (3)");
    EXPECT(Refusal({.nodes = 3, .kill = 1, .data_connections = true, .data_peers = 3}) ==
           "--data-peers is 3, and must be below --nodes (3)");
    EXPECT(Refusal({.duration = base::milliseconds(999)}).starts_with("--duration"));
    EXPECT(Refusal({.pause = 1, .pause_for = base::Duration(0)}).starts_with("--pause-for"));
    SwimOptions options;
    options.gossip.ack_timeout = base::Duration(0);
    EXPECT(Refusal(options).starts_with("gossip.ack_timeout"));
  }
}

}  // namespace
}  // namespace starling::gossip_sim
