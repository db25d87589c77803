// Goal:   a story says who was accused by whom and why, and is short where all say the same.
// Method: things told by hand, and a small cluster.
#include "tools/gossip_sim/story.h"

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "tests/test.h"
#include "tools/gossip_sim/swim_sim.h"

namespace starling::gossip_sim {
namespace {

Told Belief(std::int64_t ms, NodeIndex observer, NodeIndex subject, const char* what,
            const char* reason) {
  return {.at = base::milliseconds(ms),
          .what = what,
          .subject = subject,
          .observer = observer,
          .generation = 1,
          .reason = reason};
}

std::string StoryOf(const SwimOptions& options) {
  Story story({});
  SwimOptions watched = options;
  watched.on_told = [&](const Told& told) { story.Add(told); };
  REQUIRE(RunSwim(watched).has_value());
  return story.Text();
}

TEST_SUITE("tools/gossip_sim/story") {
  TEST_CASE("of a belief the first, the first-hand and the last are told") {
    Story story({});
    story.Add({.at = base::milliseconds(1000), .what = "is killed", .subject = 3});
    story.Add(Belief(1500, 7, 3, "suspect", "no ack within 900 ms"));
    story.Add(Belief(1510, 8, 3, "suspect", "others say so"));
    story.Add(Belief(1600, 9, 3, "suspect", "no ack within 900 ms"));
    story.Add(Belief(1700, 1, 3, "suspect", "others say so"));
    EXPECT(story.Text() ==
           "     1.000 s  node 3 is killed\n"
           "     1.500 s  node 7 holds node 3 for suspect: no ack within 900 ms\n"
           "     1.600 s  node 9 holds node 3 for suspect: no ack within 900 ms\n"
           "     1.700 s  node 3 is held for suspect by 4 nodes, the last of them node 1, 0.200 s "
           "after the first\n");
  }

  TEST_CASE("of one member all is told, and of others nothing") {
    Story story({.member = 8});
    story.Add({.at = base::milliseconds(1000), .what = "is killed", .subject = 3});
    story.Add(Belief(1500, 7, 3, "suspect", "no ack within 900 ms"));
    story.Add(Belief(1510, 8, 3, "suspect", "others say so"));
    story.Add({.at = base::milliseconds(2000), .what = "the halves meet again"});
    EXPECT(story.Text() ==
           "     1.510 s  node 8 holds node 3 for suspect: others say so\n"
           "     2.000 s  the halves meet again\n");
  }

  TEST_CASE("as JSON, each line is an object") {
    Story story({});
    story.Add(Belief(1500, 7, 3, "suspect", "no ack within 900 ms"));
    const nlohmann::json line = nlohmann::json::parse(story.JsonLines());
    EXPECT(line.at("at_s") == 1.5);
    EXPECT(line.at("observer") == 7);
    EXPECT(line.at("node") == 3);
    EXPECT(line.at("reason") == "no ack within 900 ms");
  }

  TEST_CASE("a run's story has its deaths, refutations and partitions, and repeats itself") {
    const SwimOptions options{.nodes = 12,
                              .kill = 1,
                              .pause = 1,
                              .pause_for = base::seconds(3),
                              .duration = base::seconds(20),
                              .seed = 3,
                              .restart = Restart::kOneByOne,
                              .join = 2,
                              .partition_for = base::seconds(20)};
    const std::string text = StoryOf(options);
    for (const char* part :
         {"node 5 is killed", "node 5 for suspect: no ack, and its port refuses connections",
          "node 5 is held for dead by ", "is stopped (SIGSTOP)", "goes on (SIGCONT)",
          "for alive (incarnation 1): it says so", "is stopped and started again",
          "2 new nodes are started", "two halves", "the halves meet again", "all agree"}) {
      DOCTEST_INFO(part);
      EXPECT(text.find(part) != std::string::npos);
    }
    EXPECT(text == StoryOf(options));
    std::istringstream lines(text);
    std::string before, line;
    while (std::getline(lines, line)) {
      EXPECT(before.substr(0, 10) <= line.substr(0, 10));  // In the order of time.
      before = line;
    }
  }
}

}  // namespace
}  // namespace starling::gossip_sim
