#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace starling::base::internal {

void CheckFailed(const char* file, int line, const char* condition) {
  // stdio, not the log: the log may be what is broken.
  std::fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, condition);
  std::fflush(stderr);
  std::abort();
}

}  // namespace starling::base::internal
