// server/control_jobs.h: what control offloads, and how it packs addresses into tags. Its own.
//
// Thread: a job runs on its lane, and is done on control.
#pragma once

#include <memory>
#include <utility>

#include "server/control.h"

namespace starling::server {

struct Control::MetaJob final : base::Job {
  explicit MetaJob(Control& home) : control(home) {}
  void Run() noexcept override {
    const storage::Batch* batches[] = {batch.get()};
    status = batch->empty() ? control.shared_.engine.SyncLog()
                            : control.shared_.engine.Write(batches, storage::Sync::kYes);
    if (status.ok()) control.shared_.guard.Synced(control.shared_.engine.sequence());
  }
  void Done() override;

  Control& control;
  std::unique_ptr<storage::Batch> batch;
  Then then;
  base::Status status;
};

struct Control::SeedJob final : base::Job {
  SeedJob(Control& home, std::vector<std::string> to_look_up)
      : control(home), names(std::move(to_look_up)) {}
  void Run() noexcept override {
    for (const std::string& name : names) found.push_back(control.shared_.look_up(name));
  }
  void Done() override;

  Control& control;
  const std::vector<std::string> names;
  std::vector<base::Result<std::uint32_t>> found;
};

// Of how much room there is.
struct Control::DiskJob final : base::Job {
  explicit DiskJob(Control& home) : control(home) {}
  void Run() noexcept override { space = control.shared_.look_at_disk(); }
  void Done() override;

  Control& control;
  base::Result<DiskSpace> space{};
};

// Reads one table.
struct Control::ScrubJob final : base::Job {
  ScrubJob(Control& home, std::string name, std::uint64_t of_pass)
      : control(home), table(std::move(name)), pass(of_pass) {}
  void Run() noexcept override { status = control.shared_.engine.CheckTable(table); }
  void Done() override;

  Control& control;
  const std::string table;
  const std::uint64_t pass;
  base::Status status;
};

inline std::uint64_t PackAddress(base::Address address) {
  return static_cast<std::uint64_t>(address.ip) << 16 | address.port;
}
inline base::Address UnpackAddress(std::uint64_t packed) {
  return {static_cast<std::uint32_t>(packed >> 16), static_cast<std::uint16_t>(packed)};
}

}  // namespace starling::server
