// base/uv/lanes.h: the threads that blocking jobs run on: a few for kRead, one for each other
// lane. libuv's own thread pool is not used, because a slow read must not delay a sync.
//
// Thread:    Start and Stop from the thread that owns the node; Offload from any.
// Ownership: jobs stay their callers'.
#pragma once

#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/world.h"

namespace starling::base::uv {

// Where a job came from, and where its Done() is to be called.
class JobHome {
 public:
  virtual void Complete(Job& job) = 0;  // Called on the lane's thread, after Run().

 protected:
  ~JobHome() = default;
};

class Lanes {
 public:
  explicit Lanes(std::size_t read_threads);
  ~Lanes();  // Stops.

  void Start();
  // Ends the threads, each after the job that it is at. Jobs not begun are dropped, and so are
  // those offloaded from now on.
  void Stop();
  void Offload(Lane lane, Job& job, JobHome& home);

 private:
  struct Item {
    Job* job;
    JobHome* home;
  };
  struct Queue {
    std::mutex mutex;
    std::condition_variable filled;
    std::deque<Item> items;
    bool stopping = false;
  };

  static void Work(Queue& queue);

  std::array<std::size_t, kLanes> thread_counts_;
  std::array<Queue, kLanes> queues_;
  std::vector<std::thread> threads_;
};

}  // namespace starling::base::uv
