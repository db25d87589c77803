// tests/sim/frames.h: cutting what a connection brought, and answering on it, as actors of tests
// do.
//
// Thread: free functions.
#pragma once

#include <algorithm>
#include <cstddef>

#include "base/world.h"
#include "server/wire/frame.h"
#include "tests/test.h"

namespace starling::sim {

// `take` gets each whole frame of `bytes`; returns how many bytes they are, as OnBytes does. What a
// node sends is always sound.
template <typename Take>
std::size_t ForEachFrame(base::Bytes bytes, Take take) {
  std::size_t used = 0;
  for (;;) {
    wire::Frame frame;
    const auto size = wire::CutFrame(bytes.substr(used), &frame);
    REQUIRE(size.has_value());
    if (*size == 0) return used;
    used += *size;
    take(frame);
  }
}

inline void SendBytes(base::World& world, base::ConnId conn, base::Bytes bytes) {
  const auto room = world.Reserve(conn, bytes.size());
  std::copy(bytes.begin(), bytes.end(), room.begin());
  world.Commit(conn, bytes.size());
}

}  // namespace starling::sim
