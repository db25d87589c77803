// Goal:   what became of a rumor is told right in all four formats.
// Method: runs made by hand, and what is printed of them.
#include "tools/gossip_sim/rumor_report.h"

#include <nlohmann/json.hpp>

#include "tests/test.h"

namespace starling::gossip_sim {
namespace {

// One that infects `infected` by rounds.
RumorRun Run(std::vector<std::uint32_t> infected, std::uint64_t messages) {
  RumorRun run{.infected = infected.back(), .messages = messages, .pulled = 1};
  for (std::uint32_t i = 0; i < infected.size(); ++i)
    run.rounds.push_back({.round = i, .infected = infected[i], .messages = i});
  return run;
}

const RumorOptions kTen{.nodes = 10};

RumorTally ThreeRuns() {
  RumorTally tally(kTen);
  tally.Add(Run({1, 4, 10}, 20));
  tally.Add(Run({1, 6, 10}, 20));
  tally.Add(Run({1, 2, 5, 8}, 50));
  return tally;
}

std::size_t Count(const std::string& text, std::string_view what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
    ++count;
  return count;
}

TEST_SUITE("tools/gossip_sim/rumor_report") {
  TEST_CASE("the last line says in how many rounds all know, or how many ever will") {
    RumorOptions options{.nodes = 10};
    EXPECT(Verdict(options, Run({1, 4, 10}, 20)) ==
           "Update fully converged to all 10 nodes in 2 rounds.");
    EXPECT(Verdict(options, Run({1, 10}, 20)) ==
           "Update fully converged to all 10 nodes in 1 round.");
    EXPECT(Verdict(options, Run({1, 4}, 20)) == "reached 4 of 10 nodes in 1 round.");
    options.variant = RumorVariant::kFeedbackCounter;
    EXPECT(Verdict(options, Run({1, 4, 9}, 20)) == "reached 9 of 10 nodes in 2 rounds.");
  }

  TEST_CASE("many runs are added up") {
    const RumorStatistics statistics = ThreeRuns().Statistics();
    EXPECT(statistics.runs == 3);
    EXPECT(statistics.rounds.mean == doctest::Approx(7.0 / 3));
    EXPECT(statistics.rounds.p50 == 2);
    EXPECT(statistics.rounds.max == 3);
    EXPECT(statistics.complete == doctest::Approx(2.0 / 3));
    EXPECT(statistics.residue == doctest::Approx(0.2 / 3));
    EXPECT(statistics.messages_per_node == doctest::Approx(3));
    EXPECT(statistics.pulled_per_node == doctest::Approx(0.1));
    const std::vector<CurvePoint> curve = ThreeRuns().Curve();
    REQUIRE(curve.size() == 4);
    EXPECT(curve[1].mean == doctest::Approx(0.4));
    EXPECT(curve[1].low == doctest::Approx(0.2));
    EXPECT(curve[3].mean == doctest::Approx(2.8 / 3));  // Whoever was done stays done.
  }

  TEST_CASE("the table has the distribution, and the papers' figures by their letters") {
    const std::string table = Table(ThreeRuns());
    EXPECT(table.find("     2         2   66.67%  ####") != std::string::npos);
    EXPECT(table.find("     3         1   33.33%  ####") != std::string::npos);
    for (const char* figure : {"mean 2.333", "s = 0.0667", "m = 3.000", "t_last = 2.33"})
      EXPECT(table.find(figure) != std::string::npos);
  }

  TEST_CASE("CSV has a line a round of one run, and a line a run of many") {
    EXPECT(Csv(Run({1, 4, 10}, 20)) == "round,infected,messages\n0,1,0\n1,4,1\n2,10,2\n");
    EXPECT(CsvLine(2, 8, Run({1, 4, 10}, 20)) == "2,8,2,10,20\n");
  }

  TEST_CASE("JSON has every figure that the table has, and the curve") {
    const nlohmann::json json = nlohmann::json::parse(Json(kTen, 7, ThreeRuns()));
    EXPECT(json.at("nodes") == 10);
    EXPECT(json.at("variant") == "naive");
    EXPECT(json.at("seed") == 7);
    EXPECT(json.at("rounds").at("p50") == 2);
    EXPECT(json.at("distribution").size() == 2);
    EXPECT(json.at("distribution")[0].at("runs") == 2);
    EXPECT(json.at("spread").size() == 4);
    for (const char* field : {"complete", "residue", "messages_per_node", "t_ave", "t_last"})
      EXPECT(json.at(field).is_number());
    EXPECT(!json.contains("seconds"));  // Rounds of the papers have no length.
  }

  TEST_CASE("the plot of many runs has the curve, its band, and a bar for each number of rounds") {
    const std::string svg = Svg(kTen, 7, ThreeRuns());
    EXPECT(svg.starts_with("<svg xmlns="));
    EXPECT(svg.ends_with("</svg>\n"));
    EXPECT(Count(svg, "<polyline") == 1);
    EXPECT(Count(svg, "<polygon") == 1);
    EXPECT(Count(svg, "</title></rect>") == 2);
    EXPECT(svg.find("10 nodes, fanout 2, naive push; 3 runs, seed 7") != std::string::npos);
  }

  TEST_CASE("the plot of one run has its curve, and a bar for each round in which it sent") {
    const std::string svg = Svg(kTen, 7, Run({1, 4, 10}, 20));
    EXPECT(Count(svg, "<polyline") == 1);
    EXPECT(Count(svg, "</title></rect>") == 2);
  }

  TEST_CASE("options are told in a line, those that say nothing left out") {
    EXPECT(Describe({.nodes = 50}) == "50 nodes, fanout 2, naive push");
    EXPECT(Describe({.nodes = 50,
                     .counter_k = 3,
                     .variant = RumorVariant::kBlindCoin,
                     .direction = RumorDirection::kPushPull,
                     .loss = 0.1}) == "50 nodes, fanout 2, blind-coin push-pull, k=3, loss 0.1");
    EXPECT(Describe({.nodes = 50, .variant = RumorVariant::kStarling}) ==
           "50 nodes, fanout 2, starling, k=2");
  }
}

}  // namespace
}  // namespace starling::gossip_sim
