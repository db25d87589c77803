// tests/seeds.h: how many seeds a test plays, and which of them was the worst.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace starling {

// The number in this variable, for who wants more than is usual; `standard` if it is not set.
inline std::uint64_t FromEnvironment(const char* name, std::uint64_t standard) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? standard : std::strtoull(text, nullptr, 10);
}

struct Worst {
  void Note(std::uint64_t of, double took_s) {
    if (seed != 0 && took_s <= seconds) return;
    seed = of;
    seconds = took_s;
  }
  std::uint64_t seed = 0;  // 0: none was played.
  double seconds = 0;
};

}  // namespace starling
