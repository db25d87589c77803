// server/process_stats.h: what the operating system says of this process.
//
// Thread: a free function; reads /proc, which is memory.
#pragma once

#include <cstdint>

namespace starling::server {

struct ProcessStats {
  std::uint64_t resident_bytes = 0;
  double cpu_seconds = 0;  // User and system.
  std::uint64_t open_fds = 0;
  std::uint64_t max_fds = 0;
  std::uint64_t threads = 0;
};

// What can't be read is 0.
ProcessStats ReadProcessStats();

}  // namespace starling::server
