// benchmarks/micro/allocations.h: how often a piece of code asks the heap for memory.
//
// Linked into a benchmark, it replaces operator new, the one that shared libraries call included.
// It counts malloc's own callers not, which are C libraries.
//
// Thread: any; the count is of the whole process.
#pragma once

#include <cstdint>

#include <benchmark/benchmark.h>

namespace starling::micro {

// Calls of operator new since the process began.
std::uint64_t Allocations();

// Reports the calls of operator new between construction and Report() as `allocations`, a
// number an iteration.
class AllocationCount {
 public:
  AllocationCount() : before_(Allocations()) {}

  void Report(benchmark::State& state) const { Report(state, Allocations() - before_); }
  static void Report(benchmark::State& state, std::uint64_t allocations) {
    state.counters["allocations"] =
        benchmark::Counter(static_cast<double>(allocations), benchmark::Counter::kAvgIterations);
  }

 private:
  std::uint64_t before_;
};

}  // namespace starling::micro
