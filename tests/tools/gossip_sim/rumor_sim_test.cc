// Goal:   rumors spread in rounds as the papers, and simulations of others, say.
// Method: many runs under fixed seeds against published figures, with named tolerances.
#include "tools/gossip_sim/rumor_sim.h"

#include <cmath>

#include "tests/test.h"
#include "tools/gossip_sim/rumor_tally.h"

namespace starling::gossip_sim {
namespace {

RumorStatistics Statistics(const RumorOptions& options, std::uint64_t runs) {
  RumorTally tally(options);
  for (std::uint64_t seed = 1; seed <= runs; ++seed) tally.Add(SpreadRumor(options, seed));
  return tally.Statistics();
}

bool Within(double share, double measured, double expected) {
  return measured > expected * (1 - share) && measured < expected * (1 + share);
}

std::string RumorRefusal(const RumorOptions& options) {
  const base::Status status = options.Validate();
  EXPECT(status.code() == base::Code::kInvalidArgument);
  return std::string(status.message());
}

constexpr RumorVariant kStopping[] = {RumorVariant::kFeedbackCounter, RumorVariant::kFeedbackCoin,
                                      RumorVariant::kBlindCounter, RumorVariant::kBlindCoin};
constexpr RumorDirection kDirections[] = {RumorDirection::kPush, RumorDirection::kPull,
                                          RumorDirection::kPushPull};

TEST_SUITE("tools/gossip_sim/rumor_sim") {
  // 6.43 rounds is the mean of 200,000 runs of a simulation written apart from this one.
  TEST_CASE("50 nodes at fanout 2 converge in 6.43 rounds on average") {
    const RumorStatistics statistics = Statistics({.nodes = 50, .fanout = 2}, 10000);
    EXPECT(Within(0.02, statistics.rounds.mean, 6.43));
    EXPECT(statistics.rounds.p50 == 6);
    // 99.0 % of runs take at most 8 rounds: chance decides on which side of the line that falls.
    EXPECT(statistics.rounds.p99 >= 8);
    EXPECT(statistics.rounds.p99 <= 9);
    EXPECT(statistics.complete == 1);
    EXPECT(statistics.residue == 0);
  }

  TEST_CASE("other sizes, fanouts and losses converge as fast as that simulation says, too") {
    struct Row {
      std::uint32_t nodes, fanout;
      double loss, mean, p50, p99;
      std::uint64_t runs;
    };
    for (const Row& row :
         {Row{7, 2, 0, 3.50, 3, 6, 10000}, Row{100, 2, 0, 7.43, 7, 9, 1000},
          Row{1000, 2, 0, 10.67, 11, 13, 1000}, Row{10000, 2, 0, 13.97, 14, 16, 100},
          Row{50, 2, 0.3, 8.36, 8, 12, 1000}, Row{1000, 2, 0.3, 13.97, 14, 17, 1000},
          Row{50, 1, 0, 10.69, 10, 15, 1000}, Row{50, 3, 0, 5.01, 5, 6, 1000}}) {
      const RumorStatistics statistics =
          Statistics({.nodes = row.nodes, .fanout = row.fanout, .loss = row.loss}, row.runs);
      EXPECT(Within(0.02, statistics.rounds.mean, row.mean));
      EXPECT(std::abs(statistics.rounds.p50 - row.p50) <= 1);  // Of fewer runs than 200,000.
      EXPECT(std::abs(statistics.rounds.p99 - row.p99) <= 1);
    }
  }

  // CSL-89-1: 1,000 sites, one contact a round. The residue's tolerance is twice as large where so
  // few are left out that chance shows in it. (benchmarks/gossip/demers prints the whole tables.)
  struct Row {
    std::uint32_t counter_k;
    double residue, traffic, last;
  };
  void ExpectTable(RumorVariant variant, RumorDirection direction, double last_tolerance,
                   const std::vector<Row>& rows) {
    for (const Row& row : rows) {
      const RumorStatistics statistics = Statistics({.nodes = 1000,
                                                     .fanout = 1,
                                                     .counter_k = row.counter_k,
                                                     .variant = variant,
                                                     .direction = direction},
                                                    1000);
      EXPECT(Within(row.counter_k <= 3 ? 0.10 : 0.20, statistics.residue, row.residue));
      EXPECT(Within(0.02, statistics.messages_per_node, row.traffic));
      EXPECT(Within(last_tolerance, statistics.rounds.mean, row.last));
    }
  }

  // Of the traffic the paper gives two digits, on which 2 % can't be told: these are the third and
  // second of a simulation written apart from this one, which rounds to the paper's.
  TEST_CASE("Demers' table 1 comes out: push, feedback, counter") {
    ExpectTable(RumorVariant::kFeedbackCounter, RumorDirection::kPush, 0.02,
                {{1, 0.18, 1.75, 16.8},
                 {2, 0.037, 3.30, 16.9},
                 {3, 0.011, 4.53, 17.4},
                 {4, 0.0036, 5.64, 17.5},
                 {5, 0.0012, 6.68, 17.7}});
  }

  TEST_CASE("Demers' table 2 comes out: push, blind, coin") {
    ExpectTable(
        RumorVariant::kBlindCoin, RumorDirection::kPush, 0.05,
        {{2, 0.20, 1.59, 33}, {3, 0.060, 2.81, 32}, {4, 0.021, 3.92, 32}, {5, 0.008, 4.96, 32}});
  }

  // Where the first contact ends it: 38 rounds, in which one node tells one. Few runs make few
  // contacts, hence more of them, and a wider tolerance of the traffic.
  TEST_CASE("Demers' table 2 comes out at k = 1: nearly nobody hears") {
    const RumorStatistics statistics = Statistics(
        {.nodes = 1000, .fanout = 1, .counter_k = 1, .variant = RumorVariant::kBlindCoin}, 5000);
    EXPECT(Within(0.01, statistics.residue, 0.96));
    EXPECT(Within(0.05, statistics.messages_per_node, 0.04));
    EXPECT(Within(0.05, statistics.rounds.mean, 38));
  }

  TEST_CASE("Demers' table 3 comes out: pull, feedback, counter") {
    ExpectTable(RumorVariant::kFeedbackCounter, RumorDirection::kPull, 0.02,
                {{1, 0.031, 2.70, 17.63}, {2, 5.8e-4, 4.49, 15.39}});
    // At k = 3 four in a million are left out: a thousand runs leave out a handful of nodes.
    const RumorOptions options{.nodes = 1000,
                               .fanout = 1,
                               .counter_k = 3,
                               .variant = RumorVariant::kFeedbackCounter,
                               .direction = RumorDirection::kPull};
    const RumorStatistics statistics = Statistics(options, 1000);
    EXPECT(statistics.residue < 1.2e-5);
    EXPECT(Within(0.02, statistics.messages_per_node, 6.09));
    EXPECT(Within(0.02, statistics.rounds.mean, 14.00));
    EXPECT(Within(0.02, statistics.rounds_to_hear, 10.08));
  }

  TEST_CASE("of push a share of e^-m is left out, whatever makes it stop") {
    for (const RumorVariant variant : kStopping) {
      const RumorStatistics statistics =
          Statistics({.nodes = 1000, .fanout = 1, .counter_k = 3, .variant = variant}, 300);
      EXPECT(Within(0.2, statistics.residue, std::exp(-statistics.messages_per_node)));
    }
  }

  TEST_CASE("every variant ends in every direction, and what it reached heard in order") {
    for (const RumorVariant variant : kStopping) {
      for (const RumorDirection direction : kDirections) {
        for (const double loss : {0.0, 0.3}) {
          const RumorRun run = SpreadRumor(
              {.nodes = 100, .variant = variant, .direction = direction, .loss = loss}, 3);
          REQUIRE(run.rounds.size() >= 2);
          EXPECT(run.rounds.back().infected == run.infected);
          EXPECT(run.infected > 20);
          EXPECT(run.rounds_to_hear < run.round_count());
          EXPECT((run.pulled > 0) == (direction != RumorDirection::kPush));
          EXPECT((run.pulled == run.messages) == (direction == RumorDirection::kPull));
        }
      }
    }
  }

  TEST_CASE("both ways are faster than either, and pull needs fewer rounds at the end than push") {
    const auto mean = [](RumorDirection direction) {
      return Statistics({.nodes = 1000, .fanout = 1, .direction = direction}, 200).rounds.mean;
    };
    const double push = mean(RumorDirection::kPush);
    const double pull = mean(RumorDirection::kPull);
    EXPECT(pull < push);
    EXPECT(mean(RumorDirection::kPushPull) < pull);
  }

  TEST_CASE("a round's infected never fall, and the last round reaches the last node") {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
      const RumorRun run = SpreadRumor({.nodes = 30, .fanout = 2}, seed);
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
    for (const RumorVariant variant : {RumorVariant::kNaive, RumorVariant::kStarling}) {
      const RumorRun run = SpreadRumor({.nodes = 1, .variant = variant}, 1);
      EXPECT(run.round_count() == 0);
      EXPECT(run.infected == 1);
      EXPECT(run.messages == 0);
    }
  }

  TEST_CASE("where nearly all is lost, naive gives up and says so") {
    const RumorRun run = SpreadRumor({.nodes = 2, .fanout = 1, .loss = 0.999'999'999}, 1);
    EXPECT(run.infected == 1);
  }

  TEST_CASE("options that can't be are refused by their flags") {
    EXPECT(RumorRefusal({.nodes = 0}) == "--nodes is 0, and must be 1 to 1000000");
    EXPECT(RumorRefusal({.nodes = 1'000'000'000}).starts_with("--nodes is 1000000000"));
    EXPECT(RumorRefusal({.fanout = 0}).starts_with("--fanout is 0"));
    EXPECT(RumorRefusal({.counter_k = 0}).starts_with("--counter is 0"));
    EXPECT(RumorRefusal({.loss = 1}).starts_with("--loss is 1"));
    EXPECT(RumorRefusal({.loss = std::nan("")}).starts_with("--loss is nan"));
    EXPECT(RumorRefusal({.variant = RumorVariant::kStarling, .direction = RumorDirection::kPull})
               .starts_with("--direction"));
  }
}

}  // namespace
}  // namespace starling::gossip_sim
