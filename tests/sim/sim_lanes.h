// tests/sim/sim_lanes.h: the threads of a simulated host that may block.
//
// Each lane takes its jobs in the order of Offload. A job's Run() is called at a drawn time while
// its thread is busy with it, and its Done() is handed to its actor when the thread is free again.
//
// Thread:    confined to one thread.
// Ownership: none of the jobs. Drop() forgets them: what has not run never will.
// Read next: tests/sim/sim_world.h
#pragma once

#include <array>
#include <deque>
#include <vector>

#include "base/world.h"
#include "tests/sim/core.h"

namespace starling::sim {

class SimWorld;

class Lanes {
 public:
  Lanes(Core& core, std::uint32_t host);

  void Offload(base::Lane lane, base::Job& job, SimWorld& home);
  void Drop();
  void SetLife(std::uint32_t life) { life_ = life; }
  std::size_t outstanding() const;

  // --- events ---
  void OnRun(std::uint32_t thread);
  void OnDone(std::uint32_t thread);

 private:
  struct Work {
    base::Job* job = nullptr;
    SimWorld* home = nullptr;
  };
  struct Thread {
    base::Lane lane{};
    Work work{};
    base::Instant done_at{};
  };

  void StartNext(std::uint32_t thread);
  base::Duration DurationOf(base::Lane lane);

  Core& core_;
  const std::uint32_t host_;
  std::uint32_t life_ = 0;
  std::vector<Thread> threads_;
  std::array<std::deque<Work>, base::kLanes> waiting_;
};

}  // namespace starling::sim
