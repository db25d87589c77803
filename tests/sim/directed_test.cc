// Goal:   the schedules that lead to the planted mistakes go well without them.
// Method: each is played on whole nodes; mutants_test.cc plays them with their mistakes.
#include "tests/sim/directed.h"

#include <string>

#include "tests/test.h"

namespace starling::sim {
namespace {

TEST_SUITE("sim/directed") {
  TEST_CASE("every schedule ends without a violation") {
    for (const Schedule& schedule : kSchedules) {
      const Play play = schedule.play();
      DOCTEST_INFO(std::string(schedule.name), "\n", play.stage, "\n", play.violation);
      EXPECT(play.stage.empty());
      EXPECT(play.violation.empty());
    }
  }
}

}  // namespace
}  // namespace starling::sim
