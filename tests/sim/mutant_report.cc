// tests/sim/mutant_report.cc: how many random seeds catch each planted mistake.
//
//   build/mutants/bin/mutant-report [SEEDS]     20 seeds each without an argument
//
// Each seed runs in a process of its own, since a mistake may also end in a failed CHECK, which
// counts as caught.
#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/log.h"
#include "base/mutants.h"
#include "tests/sim/seed_run.h"

namespace starling::sim {
namespace {

bool Caught(std::string_view mutant, std::uint64_t seed) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    base::SetMutant(mutant);
    std::_Exit(RunSeed(seed).failure.empty() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status != 0;
}

int Report(std::uint64_t seeds) {
  fmt::print("{:<26} caught by  of {} seeds\n", "mistake", seeds);
  for (const base::MutantName& mutant : base::kMutants) {
    std::uint64_t caught = 0;
    std::string first;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      if (!Caught(mutant.name, seed)) continue;
      if (++caught == 1) first = fmt::format("first {}", seed);
    }
    fmt::print("{:<26} {:>9}  {}\n", mutant.name, caught, first);
  }
  return 0;
}

}  // namespace
}  // namespace starling::sim

int main(int argc, char** argv) {
  starling::base::log::SetLevel(starling::base::log::Level::kOff);
  return starling::sim::Report(argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 20);
}
