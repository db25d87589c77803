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

#include "base/json_object.h"
#include "base/status.h"
#include "server/admin_call.h"
#include "server/admin_jobs.h"
#include "server/disk_snapshots.h"

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
  // What is to be done on the lane, or why it is not.
  base::Result<AdminJobs::Work> WorkOf(const AdminCall& call);
  base::Result<AdminJobs::Work> Taking(const base::JsonObject& arguments);
  base::Result<AdminJobs::Work> Clearing(const base::JsonObject& arguments);

  Control& control_;
  const DiskSnapshots snapshots_;
  AdminJobs jobs_;
};

}  // namespace starling::server
