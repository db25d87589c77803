// tests/main.cc: doctest's main, with our log quiet.
#define DOCTEST_CONFIG_IMPLEMENT
#include "base/log.h"
#include "tests/test.h"

int main(int argc, char** argv) {
  starling::base::log::SetLevel(starling::base::log::Level::kOff);
  doctest::Context context(argc, argv);
  return context.run();
}
