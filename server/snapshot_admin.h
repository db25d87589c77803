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

#include <memory>
#include <string>
#include <vector>

#include "server/disk_snapshots.h"
#include "server/mail.h"

namespace starling::server {

class Control;

class SnapshotAdmin {
 public:
  explicit SnapshotAdmin(Control& control);
  ~SnapshotAdmin();

  // Answers, now or later, if it is one of these commands; else false.
  bool Handle(const FrameMail& mail);

 private:
  struct Job;
  struct Arguments;

  void Start(const ReplyTo& to, const std::string& command, Arguments arguments);
  void OnDone(Job& job);

  Control& control_;
  const DiskSnapshots snapshots_;
  std::vector<std::unique_ptr<Job>> jobs_;
};

}  // namespace starling::server
