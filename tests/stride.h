// tests/stride.h: how many of a long row of like cases a test plays.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace starling {

// From one case to the next: 1, or STARLING_STRIDE. Sanitizer builds take each 5th: they look for
// what a case does to memory, and the dev build has played them all.
inline std::uint64_t Stride() {
  const char* text = std::getenv("STARLING_STRIDE");
  return text == nullptr ? 1 : std::max(1ULL, std::stoull(text));
}

}  // namespace starling
