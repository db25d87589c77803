// server/committer.h: where the batches of all workers become one write with one sync.
//
// A worker fills a CommitJob a turn and offloads it to the sync lane. The first job that runs there
// takes along all that were submitted meanwhile, so batches grow by themselves under load and an
// idle node waits for nobody. A job's Done() comes after its batch is as durable as the mode says.
//
// Thread:    Submit: any worker's. Jobs run on the sync lane.
// Ownership: the jobs' owners, until Done().
#pragma once

#include <mutex>
#include <vector>

#include "base/world.h"
#include "server/config.h"
#include "storage/engine.h"
#include "storage/guard.h"

namespace starling::server {

class Committer;

// One worker's batch of one turn.
struct CommitJob : base::Job {
  storage::Batch batch;
  bool must_sync = false;  // Whatever the mode.
  base::Status status;     // Of the write; not ok: the node must end (G2).

  virtual ~CommitJob() = default;

  void Run() noexcept final;

 private:
  friend class Committer;
  Committer* committer_ = nullptr;
  bool committed_ = false;  // By an earlier job's run. Guarded by the lane: one thread.
};

class Committer {
 public:
  Committer(storage::Engine& engine, storage::Guard& guard, Durability durability);

  // Takes the job and offloads it. REQUIRES: it is not submitted already.
  void Submit(base::World& world, CommitJob& job);

 private:
  friend struct CommitJob;
  void Run(CommitJob& job);

  storage::Engine& engine_;
  storage::Guard& guard_;
  const Durability durability_;

  std::mutex mutex_;
  std::vector<CommitJob*> waiting_;  // Guarded by mutex_.

  // Sync lane only.
  std::vector<CommitJob*> running_;
  std::vector<const storage::Batch*> batches_;
};

}  // namespace starling::server
