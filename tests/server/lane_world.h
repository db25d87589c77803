// tests/server/lane_world.h: a World with nothing but the sync lane, which a test runs by hand.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/world.h"

namespace starling::server {

// The lane's thread is whoever calls RunNext.
class LaneWorld final : public base::World {
 public:
  void Offload(base::Lane lane, base::Job& job) override {
    CHECK(lane == base::Lane::kSync);
    const std::lock_guard lock(mutex_);
    jobs_.push_back(&job);
    there_is_one_.notify_one();
  }

  // Runs the oldest job, when there is one, and tells its home.
  void RunNext() {
    base::Job* job = nullptr;
    {
      std::unique_lock lock(mutex_);
      there_is_one_.wait(lock, [&] { return !jobs_.empty(); });
      job = jobs_.front();
      jobs_.pop_front();
    }
    job->Run();
    job->Done();
  }
  std::size_t waiting() const { return jobs_.size(); }
  const std::vector<base::Status>& exits() const { return exits_; }

  base::Instant Now() const override { return {}; }
  std::int64_t WallMs() const override { return 0; }
  base::Random& random() override { return random_; }
  void WakeAt(base::Instant) override { CHECK(false); }
  void Again() override { CHECK(false); }
  void Post(base::ActorId, std::unique_ptr<base::Mail>) override { CHECK(false); }
  base::Status Listen(base::ListenerId, base::Address) override { return base::Ok(); }
  void StopListening() override { CHECK(false); }
  base::ConnId Connect(base::Address) override { return {}; }
  void Give(base::ConnId, base::ActorId) override { CHECK(false); }
  std::span<char> Reserve(base::ConnId, std::size_t) override { return {}; }
  void Commit(base::ConnId, std::size_t) override { CHECK(false); }
  void Append(base::ConnId, std::shared_ptr<const void>, base::Bytes) override { CHECK(false); }
  std::size_t Queued(base::ConnId) const override { return 0; }
  void SetReading(base::ConnId, Reading) override { CHECK(false); }
  void Close(base::ConnId) override { CHECK(false); }
  base::Status BindDatagrams(base::Address) override { return base::Ok(); }
  void SendDatagram(base::Address, base::Bytes) override { CHECK(false); }
  void Exit(base::Status why) override { exits_.push_back(std::move(why)); }

 private:
  base::Random random_{1};
  std::vector<base::Status> exits_;
  std::mutex mutex_;
  std::condition_variable there_is_one_;
  std::deque<base::Job*> jobs_;  // Guarded by mutex_.
};

}  // namespace starling::server
