// tools/stress/main.cc: starling-stress. Its flags are in flags.h, what it does in commands.h.
#include <fmt/core.h>

#include <cstdio>
#include <system_error>

#include "tools/stress/commands.h"

int main(int argc, char** argv) try {
  using namespace starling::stress;  // NOLINT: this file is nothing but their front.
  const auto request = ParseFlags({argv + 1, argv + argc});
  if (request) return Execute(*request);
  fmt::print(stderr, "starling-stress: {}\n", request.error().message());
  return kExitFailed;
} catch (const std::system_error& failure) {  // What it prints to is closed, or full.
  std::fprintf(stderr, "starling-stress: cannot print: %s\n", failure.what());
  return starling::stress::kExitFailed;
}
