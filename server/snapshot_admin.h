// server/snapshot_admin.h: `nodetool snapshot`, `listsnapshots` and `clearsnapshot`, off the
// actors.
//
//   snapshot       {"name", "keyspaces": [names; none: all], "dry_run"}
//   listsnapshots  {}
//   clearsnapshot  {"name", or "all": true, "dry_run"}
//
// Thread:    control's; the work is done on the maintenance lane, one after the other.
// Ownership: control's own; lives as long as it.
// Read next: disk_snapshots.h
#pragma once

#include <vector>

#include "base/json_object.h"
#include "base/status.h"
#include "server/admin_call.h"
#include "server/admin_jobs.h"
#include "server/disk_snapshots.h"
#include "server/snapshot_manifest.h"
#include "server/stats.h"

namespace starling::server {

class Control;

class SnapshotAdmin {
 public:
  explicit SnapshotAdmin(Control& control);
  ~SnapshotAdmin();

  // Answers, now or later, if it is one of these commands; else false.
  bool Handle(const AdminCall& call);

 private:
  base::Status Start(const AdminCall& call);
  base::Status StartWork(const ReplyTo& to, AdminJobs::Work work);
  // How many entries a snapshot would have the workers know.
  void TellOf(const ReplyTo& to, SnapshotManifest facts, const std::vector<WorkerStats>& stats);
  // What is to be done on the lane, or why it is not.
  base::Result<AdminJobs::Work> WorkOf(const AdminCall& call);
  base::Result<SnapshotManifest> Facts(const base::JsonObject& arguments) const;
  base::Result<AdminJobs::Work> Clearing(const base::JsonObject& arguments);

  Control& control_;
  const DiskSnapshots snapshots_;
  AdminJobs jobs_;
};

}  // namespace starling::server
