// server/disk_guard.h: when a node must stop taking puts because its disk is nearly full, and when
// it may go on.
//
// What is kept free is for what can't wait: deletes, control's records, flushes and compactions,
// which write new files before they delete old ones.
//
// Thread:    confined to control; Look is a free function of its own.
// Read next: server/control_disk.cc
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/status.h"

namespace starling::server {

struct DiskSpace {
  std::uint64_t free_bytes = 0;  // That a process without privileges may use.
  std::uint64_t total_bytes = 0;
};

// Asks the file system of the data directory. Empty: nobody can say, as in the simulator.
using LookAtDisk = std::function<base::Result<DiskSpace>()>;
// Io, with the cause.
base::Result<DiskSpace> LookAtDirectory(const std::string& directory);

// What is kept free of a disk of `total_bytes` where storage.reserve is `asked_bytes`: of a small
// one no more than a fifth.
std::uint64_t ReserveOf(std::uint64_t asked_bytes, std::uint64_t total_bytes);

class DiskGuard {
 public:
  // `reserve_bytes` is storage.reserve; 0: the disk is never full.
  explicit DiskGuard(std::uint64_t reserve_bytes) : asked_bytes_(reserve_bytes) {}

  // True: full() has changed.
  bool Look(const DiskSpace& space);

  bool full() const { return full_; }
  const DiskSpace& space() const { return space_; }
  std::uint64_t reserve_bytes() const { return ReserveOf(asked_bytes_, space_.total_bytes); }
  // What is free beyond the reserve.
  std::uint64_t room_bytes() const;
  // Full, it takes puts again once so much is free: a tenth more, so that it does not go to and
  // fro.
  std::uint64_t resume_bytes() const { return reserve_bytes() + reserve_bytes() / 10; }

 private:
  const std::uint64_t asked_bytes_;
  DiskSpace space_{};
  bool full_ = false;
};

}  // namespace starling::server
