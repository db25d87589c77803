#include "server/committer.h"

namespace starling::server {

void CommitJob::Run() noexcept { committer_->Run(*this); }

Committer::Committer(storage::Engine& engine, storage::Guard& guard, Durability durability)
    : engine_(engine), guard_(guard), durability_(durability) {}

void Committer::Submit(base::World& world, CommitJob& job) {
  job.committer_ = this;
  job.committed_ = false;
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(&job);
  }
  world.Offload(base::Lane::kSync, job);
}

void Committer::Run(CommitJob& job) {
  if (job.committed_) return;
  {
    const std::lock_guard lock(mutex_);
    running_.swap(waiting_);
  }
  batches_.clear();
  auto sync = durability_ == Durability::kGroup ? storage::Sync::kYes : storage::Sync::kNo;
  for (const CommitJob* each : running_) {
    batches_.push_back(&each->batch);
    if (each->must_sync) sync = storage::Sync::kYes;
  }
  const base::Status status = engine_.Write(batches_, sync);
  if (status.ok() && sync == storage::Sync::kYes) guard_.Synced(engine_.sequence());
  for (CommitJob* each : running_) {
    each->status = status;
    each->committed_ = true;
  }
  running_.clear();
}

}  // namespace starling::server
