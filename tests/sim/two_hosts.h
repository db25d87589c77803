// tests/sim/two_hosts.h: two hosts of one simulation, and bytes in which a loss would be seen.
//
// Thread: confined to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/sim/simulation.h"
#include "tests/sim/toys.h"

namespace starling::sim {

inline std::string Pattern(std::size_t size) {
  std::string text(size, ' ');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

struct Pair {
  explicit Pair(std::uint64_t seed = 1, const Faults& faults = {}) : sim(seed, faults) {}
  Simulation sim;
  SimHost& left = sim.AddHost(kLoopback + 1);
  SimHost& right = sim.AddHost(kLoopback + 2);
};

}  // namespace starling::sim
