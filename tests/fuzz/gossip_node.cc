// Goal:   whatever a node of gossip hears, over datagrams and streams and in whatever time, it does
//         not crash; what it sends others can read; no datagram is over its limit or larger than
//         what it answers; and what it remembers is bounded.
// Method: an input is a course of packets, some of its own bytes, others of few hosts, generations
//         and rumors; of time that passes; and of what the node itself has to say.
#include <malloc.h>

#include "base/check.h"
#include "tests/fuzz/gossip_course.h"

namespace {

// 0 under sanitizers, whose heap has limits of its own (tests/fuzz/run).
std::size_t HeapBytes() {
  const struct mallinfo2 heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

// Of a core with 6 members and 8 rumors of each sort, and the room that it keeps for packets.
constexpr std::size_t kHeapBytesMax = 1'000'000;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling;
  const std::size_t before = HeapBytes();
  fuzz::Input in(data, size);
  gossip::Course course(in);
  course.Play();
  CHECK(HeapBytes() <= before + kHeapBytesMax);
  return 0;
}
