// tests/sim/scan_watch.h: scans again and again while a cluster is harmed, and looks at what each
// one gave.
//
// A scan at QUORUM is not confirmed, so it need not be linearizable. But it shows nothing that was
// replaced or deleted by a write which was acknowledged before it began, nothing that nobody put,
// no key twice, and every row that was acknowledged before and not deleted since.
//
// Thread:    confined to one thread.
// Ownership: the cluster outlives it.
// Read next: tests/sim/history.h, server/scan_merge.h
#pragma once

#include <string>

#include "tests/sim/cluster.h"

namespace starling::sim {

// Empty, or what cannot be: of a scan at QUORUM that began and ended then, both at the latest and
// earliest that is possible.
std::string CheckScan(const History& history, const SimScan& scan, base::Instant began,
                      base::Instant ended);

class ScanWatch {
 public:
  // From now until Stop(): by a client that routes, with such a gap from one scan to the next. A
  // scan takes as much of the machine as many writes: shorter gaps see more moments of a
  // course, of fewer courses in the same time.
  ScanWatch(Cluster& cluster, base::Duration gap);
  void Stop() { stopped_ = true; }

  unsigned completed() const { return completed_; }
  // What was wrong with the first scan that was not right.
  const std::string& failure() const { return failure_; }

 private:
  void Look();

  Cluster& cluster_;
  SimClient& client_;
  const base::Duration gap_;
  base::Instant next_;
  const SimScan* scan_ = nullptr;  // Under way.
  base::Instant began_;
  unsigned completed_ = 0;
  bool stopped_ = false;
  std::string failure_;
};

}  // namespace starling::sim
