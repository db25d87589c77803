#include "base/uv/lanes.h"

#include <pthread.h>

#include "base/check.h"

namespace starling::base::uv {
namespace {

constexpr std::array<const char*, kLanes> kThreadNames{"lane-sync", "lane-read", "lane-back",
                                                       "lane-maint"};

}  // namespace

Lanes::Lanes(std::size_t read_threads) : thread_counts_{1, read_threads, 1, 1} {
  CHECK(read_threads > 0);
}

Lanes::~Lanes() { Stop(); }

void Lanes::Start() {
  CHECK(threads_.empty());
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    for (std::size_t i = 0; i < thread_counts_[lane]; ++i) {
      threads_.emplace_back([&queue = queues_[lane]] { Work(queue); });
      pthread_setname_np(threads_.back().native_handle(), kThreadNames[lane]);
    }
  }
}

void Lanes::Stop() {
  for (Queue& queue : queues_) {
    const std::lock_guard lock(queue.mutex);
    queue.stopping = true;
    queue.items.clear();
    queue.filled.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Lanes::Offload(Lane lane, Job& job, JobHome& home) {
  Queue& queue = queues_[static_cast<std::size_t>(lane)];
  {
    const std::lock_guard lock(queue.mutex);
    if (queue.stopping) return;
    queue.items.push_back({&job, &home});
  }
  queue.filled.notify_one();
}

void Lanes::Work(Queue& queue) {
  for (;;) {
    Item item{};
    {
      std::unique_lock lock(queue.mutex);
      queue.filled.wait(lock, [&] { return queue.stopping || !queue.items.empty(); });
      if (queue.stopping) return;
      item = queue.items.front();
      queue.items.pop_front();
    }
    item.job->Run();
    item.home->Complete(*item.job);
  }
}

}  // namespace starling::base::uv
