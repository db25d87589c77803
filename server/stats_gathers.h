// server/stats_gathers.h: questions to all workers at once, each until its last answer is there.
//
// Thread: confined, as its owner is.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "server/stats.h"

namespace starling::server {

class StatsGathers {
 public:
  // In the order in which the workers answered.
  using Then = std::function<void(const std::vector<WorkerStats>&)>;

  // The serial that each of `workers` is to answer with. REQUIRES: workers > 0.
  std::uint64_t Begin(unsigned workers, Then then);
  // Calls its `then` with the last answer, which may begin others. Nothing if there is no such
  // gather (any more).
  void Take(std::uint64_t serial, WorkerStats stats);

 private:
  struct Gather {
    unsigned missing = 0;
    std::vector<WorkerStats> stats;
    Then then;
  };
  std::map<std::uint64_t, Gather> gathers_;
  std::uint64_t serial_ = 0;
};

}  // namespace starling::server
