// server/control_disk.cc: looks at the room on the disk, and turns the node read-only and back.
#include <fmt/core.h>

#include "base/log.h"
#include "server/control_jobs.h"

namespace starling::server {
namespace {

// Free beyond the reserve, or no run of pulled entries becomes tables (server/replica_fill.cc).
// Workers together gather twice repair.run and have as much under way, all of which may be on the
// disk before the next look; and tables beside compactions that find no room pile up.
constexpr std::uint64_t kRunsThatFit = 8;

std::string Mebibytes(std::uint64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

}  // namespace

void Control::DiskJob::Done() { control.OnDiskLook(*this); }

// On the sync lane, where nothing waits for long, so that a hanging disk does not hang control.
void Control::LookAtDiskSoon() {
  if (!shared_.look_at_disk || looking_ != nullptr) return;
  looking_ = std::make_unique<DiskJob>(*this);
  world_.Offload(base::Lane::kSync, *looking_);
}

void Control::OnDiskLook(DiskJob& job) {
  const auto done = std::move(looking_);
  if (!job.space) {
    if (!std::exchange(look_failed_, true))
      base::log::Warn("storage", "{}: this node can't tell when its disk is full",
                      job.space.error().message());
    return;
  }
  look_failed_ = false;
  TakeDiskSpace(*job.space);
}

void Control::TakeDiskSpace(const DiskSpace& space) {
  const bool changed = disk_.Look(space);
  shared_.room_for_runs.store(disk_.room_bytes() >= kRunsThatFit * shared_.config.repair.run_bytes,
                              std::memory_order_relaxed);
  if (!changed) return;
  shared_.disk_full.store(disk_.full(), std::memory_order_relaxed);
  if (disk_.full())
    base::log::Error("storage",
                     "the disk is full: {} free for {}, {} are kept in reserve (storage.reserve); "
                     "this node is read-only, but for deletes, until {} are free",
                     Mebibytes(space.free_bytes), shared_.config.node.data_dir,
                     Mebibytes(disk_.reserve_bytes()), Mebibytes(disk_.resume_bytes()));
  else
    base::log::Info("storage", "there is room on the disk again: {} free; this node takes puts",
                    Mebibytes(space.free_bytes));
  if (snapshot_ == nullptr || !published_) return;
  RefreshMetadata();
  heard_more_ = true;  // Our own look has changed, for our workers to know.
}

}  // namespace starling::server
