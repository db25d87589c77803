// tests/sim/linearizability.h: is a history of one key that of a register that changes at once?
//
// Every operation must seem to take effect at one instant between its invocation and its return.
// One whose outcome is unknown (no return) takes effect at most once, at any later time, or never.
// The search is Wing and Gong's with Lowe's memory of the configurations seen; values are unique,
// so a read that fits the present value can be taken at once, and only writes branch.
//
// Thread:    free functions.
// Read next: tests/sim/linearizability_test.cc
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/time.h"

namespace starling::sim {

struct Operation {
  enum class Kind : std::uint8_t { kPut, kGet, kDelete };

  std::uint32_t client = 0;
  Kind kind = Kind::kGet;
  // Put: what it wrote, unique and not 0. Get: what it returned. 0 is "no such key".
  std::uint64_t value = 0;
  base::Instant invoked{};
  base::Instant returned = base::Instant::Never();  // Never: the outcome is unknown.

  bool open() const { return returned == base::Instant::Never(); }
};

// Why a history can't be.
struct Violation {
  bool undecided = false;           // The search was given up: too many writes at once.
  std::vector<Operation> window{};  // A part that can't be by itself, as small as was found.
  std::string text{};               // One operation a line, and what is wrong.
};

// nullopt: it is linearizable. The register holds 0 at first. Operations may come in any order.
// REQUIRES: puts have different values.
std::optional<Violation> CheckLinearizable(std::span<const Operation> history);

}  // namespace starling::sim
