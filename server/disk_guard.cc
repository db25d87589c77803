#include "server/disk_guard.h"

#include <fmt/core.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace starling::server {

base::Result<DiskSpace> LookAtDirectory(const std::string& directory) {
  struct statvfs found {};
  if (::statvfs(directory.c_str(), &found) != 0)
    return base::Fail(base::Io(
        fmt::format("asking how much room there is for {}: {}", directory, std::strerror(errno))));
  return DiskSpace{.free_bytes = std::uint64_t{found.f_bavail} * found.f_frsize,
                   .total_bytes = std::uint64_t{found.f_blocks} * found.f_frsize};
}

std::uint64_t ReserveOf(std::uint64_t asked_bytes, std::uint64_t total_bytes) {
  return std::min(asked_bytes, total_bytes / 5);
}

std::uint64_t DiskGuard::room_bytes() const {
  return space_.free_bytes - std::min(space_.free_bytes, reserve_bytes());
}

bool DiskGuard::Look(const DiskSpace& space) {
  space_ = space;
  const bool was = full_;
  full_ = space.free_bytes < (was ? resume_bytes() : reserve_bytes());
  return full_ != was;
}

}  // namespace starling::server
