// Goal:   durations are read as people write them, and a file that can't be written is named.
// Method: texts and paths by table.
#include "tools/gossip_sim/commands.h"

#include <optional>

#include "tests/test.h"

namespace starling::gossip_sim {
namespace {

TEST_SUITE("tools/gossip_sim/commands") {
  TEST_CASE("a duration is a number and its unit") {
    EXPECT(*ParseDuration("300ms") == base::milliseconds(300));
    EXPECT(*ParseDuration("60s") == base::seconds(60));
    EXPECT(*ParseDuration("1.5s") == base::milliseconds(1500));
    EXPECT(*ParseDuration("1.001s") == base::milliseconds(1001));  // To the nearest nanosecond.
    EXPECT(*ParseDuration("5m") == base::seconds(300));
    EXPECT(*ParseDuration("1h") == base::seconds(3600));
    EXPECT(*ParseDuration("0s") == base::Duration(0));
  }

  TEST_CASE("anything else is none, and the message names it") {
    for (const char* text :
         {"", "s", "60", "60 s", "60sec", "-1s", "nans", "infs", "s60", "1,5s"}) {
      const base::Result<base::Duration> duration = ParseDuration(text);
      REQUIRE(!duration.has_value());
      EXPECT(duration.error().message().find(text) != std::string::npos);
    }
  }

  TEST_CASE("what is too large is called so, with the largest") {
    for (const char* text : {"1001h", "3600001s", "1e300h"}) {
      const base::Result<base::Duration> duration = ParseDuration(text);
      REQUIRE(!duration.has_value());
      EXPECT(duration.error().message() ==
             "'" + std::string(text) + "' is too large, the largest is 1000h");
    }
    EXPECT(ParseDuration("infs").error().message().find("is no duration") != std::string::npos);
  }

  TEST_CASE("a file that can't be written fails, naming it") {
    RumorCommand rumor;
    rumor.csv_file = "/dev/null/rumor.csv";
    const base::Status no_csv = Run(rumor);
    EXPECT(no_csv.code() == base::Code::kIo);
    EXPECT(no_csv.message().find("/dev/null/rumor.csv") != std::string::npos);
    SwimCommand swim;
    swim.options = {.nodes = 3, .kill = 0, .duration = base::seconds(1)};
    swim.json_file = "/dev/null/swim.json";
    EXPECT(Run(swim).message().find("/dev/null/swim.json") != std::string::npos);
  }
}

}  // namespace
}  // namespace starling::gossip_sim
