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

#include "server/mail.h"
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
  bool Handle(const FrameMail& mail);
  void OnTick(base::Instant now);

 private:
  struct Job;

  void Start(const ReplyTo& to, base::Bytes arguments);
  void GoOn(base::Instant now);
  void OnStep();

  Control& control_;
  std::unique_ptr<Job> job_;
  bool resting_ = false;  // The job is not on its lane: it was fast.
  RateLimit rate_;
};

}  // namespace starling::server
