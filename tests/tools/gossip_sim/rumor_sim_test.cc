// Goal:   rumors spread in rounds as the papers, and simulations of others, say.
// Method: many runs under fixed seeds against published figures, with named tolerances.
#include "tools/gossip_sim/rumor_sim.h"

#include <cmath>

#include "tests/test.h"
#include "tools/gossip_sim/report.h"

namespace starling::gossip_sim {
namespace {

std::vector<RumorRun> Runs(const RumorOptions& options, std::size_t count) {
  base::Random random(1);
  std::vector<RumorRun> runs;
  for (std::size_t i = 0; i < count; ++i) runs.push_back(SpreadRumor(options, random));
  return runs;
}

bool Within(double share, double measured, double expected) {
  return measured > expected * (1 - share) && measured < expected * (1 + share);
}

TEST_SUITE("tools/gossip_sim/rumor_sim") {
  // 6.43 rounds is the mean of 200,000 runs of a simulation written apart from this one.
  TEST_CASE("50 nodes at fanout 2 converge in 6.43 rounds on average") {
    const RumorOptions options{.nodes = 50, .fanout = 2};
    const RumorStatistics statistics = Summarize(options, Runs(options, 10000));
    EXPECT(Within(0.02, statistics.rounds.mean, 6.43));
    EXPECT(statistics.rounds.p50 == 6);
    // 99.0 % of runs take at most 8 rounds: chance decides on which side of the line that falls.
    EXPECT(statistics.rounds.p99 >= 8);
    EXPECT(statistics.rounds.p99 <= 9);
    EXPECT(statistics.complete == 1);
    EXPECT(statistics.residue == 0);
  }

  TEST_CASE("other sizes and fanouts converge as fast as that simulation says, too") {
    struct Row {
      std::uint32_t nodes, fanout;
      double mean, p50, p99;
    };
    for (const Row& row : {Row{100, 2, 7.43, 7, 9}, Row{1000, 2, 10.67, 11, 13},
                           Row{50, 1, 10.69, 10, 15}, Row{50, 3, 5.01, 5, 6}}) {
      const RumorOptions options{.nodes = row.nodes, .fanout = row.fanout};
      const RumorStatistics statistics = Summarize(options, Runs(options, 1000));
      EXPECT(Within(0.02, statistics.rounds.mean, row.mean));
      EXPECT(std::abs(statistics.rounds.p50 - row.p50) <= 1);  // Of 1,000 runs, not of 200,000.
      EXPECT(std::abs(statistics.rounds.p99 - row.p99) <= 1);
    }
  }

  // CSL-89-1, table 1: push, feedback, counter; 1,000 sites, one contact a round.
  TEST_CASE("Demers' table 1 comes out: residue, traffic, and the last delay") {
    struct Row {
      std::uint32_t counter_k;
      double residue, traffic, last;
    };
    for (const Row& row :
         {Row{1, 0.18, 1.74, 16.8}, Row{2, 0.037, 3.30, 16.9}, Row{3, 0.011, 4.53, 17.4}}) {
      const RumorOptions options{.nodes = 1000,
                                 .fanout = 1,
                                 .counter_k = row.counter_k,
                                 .variant = RumorVariant::kFeedbackCounter};
      const RumorStatistics statistics = Summarize(options, Runs(options, 1000));
      EXPECT(Within(0.10, statistics.residue, row.residue));
      EXPECT(Within(0.02, statistics.messages_per_node, row.traffic));
      EXPECT(Within(0.02, statistics.rounds.mean, row.last));
    }
  }

  TEST_CASE("a round's infected never fall, and the last round reaches the last node") {
    for (const RumorRun& run : Runs({.nodes = 30, .fanout = 2}, 100)) {
      REQUIRE(run.rounds.size() >= 2);
      EXPECT(run.rounds.front().infected == 1);
      EXPECT(run.rounds.back().infected == 30);
      EXPECT(run.rounds[run.rounds.size() - 2].infected < 30);
      for (std::size_t i = 1; i < run.rounds.size(); ++i) {
        EXPECT(run.rounds[i].infected >= run.rounds[i - 1].infected);
        EXPECT(run.rounds[i].messages == 2 * run.rounds[i - 1].infected);
      }
    }
  }

  TEST_CASE("one node alone has converged before any round") {
    const RumorOptions options{.nodes = 1};
    const RumorRun run = Runs(options, 1)[0];
    EXPECT(run.round_count() == 0);
    EXPECT(run.messages == 0);
    EXPECT(Verdict(options, run) == "Update fully converged to all 1 nodes in 0 rounds.");
  }

  TEST_CASE("the last line says in how many rounds all know, or how many ever will") {
    RumorRun run{.rounds = {{.round = 6, .infected = 50}}, .infected = 50};
    RumorOptions options{.nodes = 50};
    EXPECT(Verdict(options, run) == "Update fully converged to all 50 nodes in 6 rounds.");
    options.variant = RumorVariant::kFeedbackCounter;
    run.infected = 49;
    EXPECT(Verdict(options, run) == "reached 49 of 50 nodes in 6 rounds.");
  }

  TEST_CASE("CSV has a line a round of one run, and a line a run of many") {
    const std::vector<RumorRun> runs = Runs({.nodes = 2, .fanout = 1}, 2);
    EXPECT(Csv({runs[0]}).starts_with("round,infected,messages\n0,1,0\n1,"));
    EXPECT(Csv(runs).starts_with("run,rounds,infected,messages\n1,"));
  }
}

}  // namespace
}  // namespace starling::gossip_sim
