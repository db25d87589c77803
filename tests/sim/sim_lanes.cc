#include "tests/sim/sim_lanes.h"

#include <algorithm>
#include <utility>

#include "tests/sim/sim_world.h"

namespace starling::sim {

Lanes::Lanes(Core& core, std::uint32_t host) : core_(core), host_(host) {
  threads_.push_back({.lane = base::Lane::kSync});
  threads_.push_back({.lane = base::Lane::kBackground});
  threads_.push_back({.lane = base::Lane::kMaintenance});
  CHECK(core_.faults.read_threads > 0);
  for (std::uint32_t i = 0; i < core_.faults.read_threads; ++i)
    threads_.push_back({.lane = base::Lane::kRead});
}

void Lanes::Offload(base::Lane lane, base::Job& job, SimWorld& home) {
  waiting_[static_cast<std::size_t>(lane)].push_back({&job, &home});
  for (std::uint32_t i = 0; i < threads_.size(); ++i) {
    if (threads_[i].lane != lane || threads_[i].work.job != nullptr) continue;
    StartNext(i);
    return;
  }
}

void Lanes::Drop() {
  for (auto& waiting : waiting_) waiting.clear();
  for (Thread& thread : threads_) thread.work = {};
}

std::size_t Lanes::outstanding() const {
  std::size_t count = 0;
  for (const auto& waiting : waiting_) count += waiting.size();
  for (const Thread& thread : threads_) count += thread.work.job != nullptr ? 1 : 0;
  return count;
}

void Lanes::StartNext(std::uint32_t number) {
  Thread& thread = threads_[number];
  auto& waiting = waiting_[static_cast<std::size_t>(thread.lane)];
  if (waiting.empty()) return;
  thread.work = waiting.front();
  waiting.pop_front();
  const base::Duration time = DurationOf(thread.lane);
  thread.done_at = core_.now + time;
  Event& event = core_.Add(core_.now + core_.UpTo(time), EventKind::kJobRun);
  event.host = host_;
  event.life = life_;
  event.number = number;
}

base::Duration Lanes::DurationOf(base::Lane lane) {
  const Faults& faults = core_.faults;
  base::Duration max = faults.sync_max;
  if (lane == base::Lane::kRead) max = faults.read_max;
  if (lane == base::Lane::kBackground || lane == base::Lane::kMaintenance)
    max = faults.background_max;
  base::Duration time = core_.UpTo(max);
  if (faults.slow_job > 0 && core_.random.Chance(faults.slow_job))
    time += core_.UpTo(faults.slow_job_max);
  return time;
}

void Lanes::OnRun(std::uint32_t number) {
  Thread& thread = threads_[number];
  thread.work.job->Run();
  core_.Trace(static_cast<std::uint64_t>(EventKind::kJobRun), host_ << 8 | number);
  Event& event = core_.Add(thread.done_at, EventKind::kJobDone);
  event.host = host_;
  event.life = life_;
  event.number = number;
}

void Lanes::OnDone(std::uint32_t number) {
  const Work work = std::exchange(threads_[number].work, {});
  work.home->NotifyDone(*work.job);
  StartNext(number);
}

}  // namespace starling::sim
