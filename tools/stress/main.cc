// tools/stress/main.cc: starling-stress. Its flags are in flags.h, what it does in commands.h.
#include "tools/say.h"
#include "tools/stress/commands.h"

namespace {

using namespace starling::stress;  // NOLINT: this file is nothing but their front.

int Main(int argc, char** argv) {
  const auto request = ParseFlags({argv + 1, argv + argc});
  if (request) return Execute(*request);
  return starling::tools::ComplainPlainly("starling-stress", starling::tools::Output::kText,
                                          request.error());
}

}  // namespace

int main(int argc, char** argv) {
  return starling::tools::RunAndFlush("starling-stress", starling::tools::Output::kText,
                                      [&] { return Main(argc, argv); });
}
