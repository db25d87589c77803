// benchmarks/micro/allocations.cc: operator new with a counter in front.
#include "benchmarks/micro/allocations.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace starling::micro {
namespace {

std::atomic<std::uint64_t> allocations{0};

}  // namespace

std::uint64_t Allocations() { return allocations.load(std::memory_order_relaxed); }

void* Counted(std::size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(bytes > 0 ? bytes : 1)) return memory;
  throw std::bad_alloc();  // What operator new must do.
}

}  // namespace starling::micro

// The other forms (arrays, nothrow) are defined by the standard library through these.
void* operator new(std::size_t bytes) { return starling::micro::Counted(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
