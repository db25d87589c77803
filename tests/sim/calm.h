// tests/sim/calm.h: a cluster to which nothing happens but what a test does to it.
//
// Thread: free function.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "tests/sim/cluster.h"

namespace starling::sim {

// Each way takes 1 ms, and no read misses the cache.
inline ClusterOptions Calm(std::uint32_t nodes) {
  ClusterOptions options{.seed = 1, .nodes = nodes, .workers = 1, .cache_misses = 0};
  options.faults.latency_min = options.faults.latency_max = base::milliseconds(1);
  return options;
}

}  // namespace starling::sim
