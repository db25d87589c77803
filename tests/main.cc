// tests/main.cc: doctest's main, with our log quiet, and the planted mistake that was asked for.
#define DOCTEST_CONFIG_IMPLEMENT
#include <cstdlib>

#include "base/log.h"
#include "base/mutants.h"
#include "tests/test.h"

int main(int argc, char** argv) {
#ifdef STARLING_MUTANTS
  if (const char* mutant = std::getenv("STARLING_MUTANT")) starling::base::SetMutant(mutant);
#endif
  starling::base::log::SetLevel(starling::base::log::Level::kOff);
  doctest::Context context(argc, argv);
  return context.run();
}
