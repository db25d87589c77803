// server/verify_admin.h: `nodetool verify` on one node: its tree against its entries, from disk.
//
//   verify  {"keyspace": name; none: all, "deep": values against their digests, too}
//
// Makes a checkpoint in DATA_DIR/verifying, walks over it in steps of the maintenance lane at
// repair.rate at most, and removes it. Nothing is repaired. One at a time.
//
// Thread:    control's; the work is done on the maintenance lane.
// Ownership: control's own; lives as long as it.
// Read next: tree_check.h, tools/nodetool/verify_command.h
#pragma once

#include <memory>
#include <optional>

#include "base/status.h"
#include "server/admin_call.h"
#include "server/progress.h"
#include "server/rate_limit.h"

namespace starling::server {

class Control;

// In the data directory; whatever a process that died has left there is of no use.
inline constexpr const char* kVerifyingDirectory = "verifying";

class VerifyAdmin {
 public:
  explicit VerifyAdmin(Control& control);
  ~VerifyAdmin();

  // Answers, now or later, if it is this command; else false.
  bool Handle(const AdminCall& call);
  void OnTick(base::Instant now);
  // Of the one that runs; nullopt: none does. No entries: it has yet to make its checkpoint.
  std::optional<EntryProgress> progress() const;

 private:
  struct Job;

  base::Status Start(const AdminCall& call);
  void GoOn(base::Instant now);
  void OnStep();

  Control& control_;
  std::unique_ptr<Job> job_;
  bool resting_ = false;  // The job is not on its lane: it was fast.
  RateLimit rate_;
  EntryProgress progress_;  // As of the last step: the job itself is its lane's.
};

}  // namespace starling::server
