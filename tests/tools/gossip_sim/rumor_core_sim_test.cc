// Goal:   what nodes run reaches all of them, for few sends, at any size and with loss.
// Method: the real cores on virtual time, many seeds.
#include "tools/gossip_sim/rumor_core_sim.h"

#include "tests/test.h"
#include "tools/gossip_sim/rumor_tally.h"

namespace starling::gossip_sim {
namespace {

RumorStatistics Statistics(std::uint32_t nodes, double loss, std::uint64_t runs) {
  const RumorOptions options{.nodes = nodes, .variant = RumorVariant::kStarling, .loss = loss};
  RumorTally tally(options);
  for (std::uint64_t seed = 1; seed <= runs; ++seed) tally.Add(SpreadThroughCores(options, seed));
  return tally.Statistics();
}

TEST_SUITE("tools/gossip_sim/rumor_core_sim") {
  TEST_CASE("a rumor reaches all nodes of every run, for 3.5 sends a node") {
    struct Row {
      std::uint32_t nodes;
      std::uint64_t runs;
      double seconds_max;  // In which 99 % of runs are done.
    };
    for (const Row& row : {Row{2, 50, 0.1}, Row{3, 50, 2}, Row{50, 1000, 2}, Row{1000, 50, 2.5},
                           Row{10000, 3, 2.5}}) {
      const RumorStatistics statistics = Statistics(row.nodes, 0, row.runs);
      EXPECT(statistics.complete == 1);
      EXPECT(statistics.messages_per_node <= 3.5);
      EXPECT(statistics.seconds.p99 <= row.seconds_max);
    }
  }

  TEST_CASE("at 10 and at 30 % loss, too, for as many more sends as are lost") {
    for (const double loss : {0.1, 0.3}) {
      const RumorStatistics statistics = Statistics(500, loss, 50);
      EXPECT(statistics.complete == 1);
      // A send counts if neither it nor its feedback is lost.
      EXPECT(statistics.messages_per_node <= 3.5 / ((1 - loss) * (1 - loss)));
      EXPECT(statistics.seconds.p99 < 4);
    }
  }

  TEST_CASE("the same seed, the same run; another, another") {
    const RumorOptions options{.nodes = 200, .variant = RumorVariant::kStarling, .loss = 0.1};
    const RumorRun run = SpreadThroughCores(options, 5);
    const RumorRun again = SpreadThroughCores(options, 5);
    EXPECT(run.messages == again.messages);
    EXPECT(run.last_heard == again.last_heard);
    EXPECT(run.last_heard != SpreadThroughCores(options, 6).last_heard);
  }

  TEST_CASE("all of the rumors sent are in some round, those that were pulled among them") {
    std::uint64_t pulled = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      const RumorRun run =
          SpreadThroughCores({.nodes = 100, .variant = RumorVariant::kStarling}, seed);
      std::uint64_t sent = 0;
      for (const RumorRound& round : run.rounds) sent += round.messages;
      EXPECT(sent <= run.messages);  // Some are sent after the last one heard.
      EXPECT(run.rounds.back().infected == 100);
      pulled += run.pulled;
    }
    EXPECT(pulled > 0);
  }
}

}  // namespace
}  // namespace starling::gossip_sim
