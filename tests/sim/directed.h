// tests/sim/directed.h: schedules made by hand, each leading straight to one planted mistake.
//
// A schedule puts whole nodes on a stage: which ways are cut, whose clock is behind, who restarts
// when. Played without its mistake nothing is wrong; with it a promise is broken. Three of
// them follow the shortest traces that the model of re-stamping gave (design section 9).
//
// Thread:    confined to one thread.
// Read next: base/mutants.h, tests/sim/mutants_test.cc
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace starling::sim {

struct Play {
  std::string stage;      // Not empty: the schedule did not go as directed, and says nothing.
  std::string violation;  // Not empty: the promise that was broken, and how it showed.
};

struct Schedule {
  std::string_view name;    // What it leads to, as a sentence.
  std::string_view mutant;  // Of base::kMutants: the mistake that it catches.
  Play (*play)();
};

extern const std::array<Schedule, 24> kSchedules;

}  // namespace starling::sim
