// server/admin_jobs.h: what operators ask for that may wait for a disk, off the actors.
//
// Thread:    the actor's that owns it; work is done on the maintenance lane, one after the other.
// Ownership: lives as long as its World runs jobs.
// Read next: server/snapshot_admin.cc
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "base/world.h"

namespace starling::server {

class AdminJobs {
 public:
  // On the lane: it touches nothing that the actor may change meanwhile, and throws nothing.
  using Work = std::function<base::Result<base::Json>()>;
  // Back on the actor's thread, with what the work came to.
  using Then = std::function<void(const base::Result<base::Json>&)>;

  // More would be a queue of operators, or of a script gone wild.
  static constexpr std::size_t kJobsMax = 16;

  explicit AdminJobs(base::World& world);
  ~AdminJobs();

  // Overloaded while kJobsMax wait.
  base::Status Room() const;
  // Fails with Overloaded, and does neither, when there is no room.
  base::Status Start(Work work, Then then);

 private:
  struct Job;

  void OnDone(Job& job);

  base::World& world_;
  std::vector<std::unique_ptr<Job>> jobs_;
};

}  // namespace starling::server
