// Goal:   each planted mistake breaks a promise in the schedule made for it, and only it does.
// Method: the schedule is played without any mistake, then with its own, chosen by name.
#include <string>

#include "base/mutants.h"
#include "tests/sim/directed.h"
#include "tests/test.h"

namespace starling::sim {
namespace {

Play PlayWith(const Schedule& schedule, std::string_view mutant) {
  base::SetMutant(mutant);
  Play play = schedule.play();
  base::SetMutant({});
  return play;
}

TEST_SUITE("sim/mutants") {
  TEST_CASE("every planted mistake has its schedule") {
    for (const base::MutantName& mutant : base::kMutants) {
      int schedules = 0;
      for (const Schedule& schedule : kSchedules) schedules += schedule.mutant == mutant.name;
      EXPECT(schedules == 1);
    }
  }

  TEST_CASE("a schedule passes without its mistake, and catches it") {
    for (const Schedule& schedule : kSchedules) {
      DOCTEST_INFO(std::string(schedule.mutant), ": ", std::string(schedule.name));
      const Play right = PlayWith(schedule, {});
      const Play wrong = PlayWith(schedule, schedule.mutant);
      DOCTEST_INFO("without: ", right.stage, right.violation, "; with: ", wrong.stage,
                   wrong.violation);
      EXPECT(right.stage.empty());
      EXPECT(right.violation.empty());
      EXPECT(wrong.stage.empty());
      EXPECT(!wrong.violation.empty());
    }
  }
}

}  // namespace
}  // namespace starling::sim
