// tests/sim/storm.h: a schedule of faults from a seed, and the calm after it.
//
// How bad a storm is, is drawn first (some seeds lose no datagram, some kill no node), so that
// seeds differ in kind and not only in time. Then episodes come one after another, some
// overlapping: ways are cut, nodes killed, stripped of power, paused, their clocks moved, their
// disks lost.
//
// Thread:    confined to one thread.
// Read next: tests/sim/sim_test.cc
#pragma once

#include <cstdint>
#include <optional>

#include "tests/sim/cluster.h"

namespace starling::sim {

struct StormOptions {
  bool cuts = true;
  bool crashes = true;
  bool power_losses = true;
  bool pauses = true;
  bool clocks = true;
  bool resets = true;
  bool lost_disks = true;
  base::Duration gap_max = base::seconds(4);  // Between the beginnings of two episodes.
  std::int64_t clock_offset_max_ms = 200;     // Either way: within twice the skew that is allowed.
};

class Storm {
 public:
  // Draws the noise that is there all the time, and what kinds of episodes come.
  Storm(Cluster& cluster, std::uint64_t seed);

  // Episodes begin until `end`.
  void Begin(base::Instant end);
  // No fault any more: ways healed, all nodes started, clocks right, lanes quick.
  void Heal();

  // Whether it is of the kind that empties disks, and how many it has.
  bool loses_disks() const { return options_.lost_disks; }
  std::uint64_t disks_lost() const { return disks_lost_; }

 private:
  void ScheduleNext();
  void Episode();
  void CutSome();
  void CrashSome();
  void LoseDisk();
  std::uint32_t AnyNode();
  base::Duration UpTo(base::Duration max);

  Cluster& cluster_;
  base::Random random_;
  StormOptions options_;
  const Faults calm_;
  base::Instant end_;
  bool over_ = false;
  std::optional<std::uint32_t> emptied_;  // The last one whose disk was lost.
  std::uint64_t disks_lost_ = 0;
};

}  // namespace starling::sim
