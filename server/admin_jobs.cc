#include "server/admin_jobs.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/actor.h"
#include "base/check.h"

namespace starling::server {

struct AdminJobs::Job final : base::Job {
  Job(AdminJobs& owner, Work to_do, Then after)
      : home(owner), work(std::move(to_do)), then(std::move(after)) {}

  void Run() noexcept override { answer = work(); }
  void Done() override { home.OnDone(*this); }

  AdminJobs& home;
  const Work work;
  const Then then;
  base::Result<base::Json> answer{};
};

AdminJobs::AdminJobs(base::World& world) : world_(world) {}
AdminJobs::~AdminJobs() = default;

base::Status AdminJobs::Room() const {
  if (jobs_.size() < kJobsMax) return base::Ok();
  return base::Overloaded(fmt::format(
      "{} commands of this kind wait on this node already: try again when they are done",
      kJobsMax));
}

base::Status AdminJobs::Start(Work work, Then then) {
  RETURN_IF_ERROR(Room());
  auto& job = jobs_.emplace_back(std::make_unique<Job>(*this, std::move(work), std::move(then)));
  world_.Offload(base::Lane::kMaintenance, *job);
  return base::Ok();
}

void AdminJobs::OnDone(Job& job) {
  const auto it = std::ranges::find_if(jobs_, [&](const auto& each) { return each.get() == &job; });
  CHECK(it != jobs_.end());
  const std::unique_ptr<Job> done = std::move(*it);
  jobs_.erase(it);
  done->then(done->answer);
}

}  // namespace starling::server
