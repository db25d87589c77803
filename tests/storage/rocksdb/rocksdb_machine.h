// tests/storage/rocksdb/rocksdb_machine.h: RocksDB as the shared suites want it.
//
// On the machine's own file system a power loss can't be had. On an UnsyncedFs it can: what
// survives is copied to a new directory while the engine is still at work, flushes and compactions
// included, and the next life starts there.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "storage/rocksdb/rocksdb_engine.h"
#include "tests/storage/engine_suite.h"
#include "tests/storage/rocksdb/unsynced_fs.h"
#include "tests/storage/temp_directory.h"

namespace starling::storage {

// Small, so that a short history flushes, switches logs and compacts.
inline constexpr std::size_t kTinyMemtables = 128 << 10;

class RocksDbMachine final : public Machine {
 public:
  RocksDbMachine();                                         // On the machine's file system.
  explicit RocksDbMachine(std::shared_ptr<UnsyncedFs> fs);  // On one that can lose power.

  Engine& engine() override { return *engine_; }
  void Kill() override {
    Kill([] {});
  }
  // Calls `between` while nothing runs.
  void Kill(const std::function<void()>& between);
  void LosePower(base::Random& random) override;
  bool can_lose_power() const override { return fs_ != nullptr; }

  const std::string& directory() const { return directory_->path(); }

 private:
  void Start();

  std::unique_ptr<TempDirectory> directory_;
  std::shared_ptr<UnsyncedFs> fs_;
  std::unique_ptr<Engine> engine_;
};

// The options of tests, for a directory and perhaps a file system.
RocksDbOptions SmallOptions(const std::string& directory, std::shared_ptr<UnsyncedFs> fs = nullptr);
// The engine of a start that must succeed.
std::unique_ptr<Engine> Opened(base::Result<std::unique_ptr<Engine>> opened);
std::unique_ptr<Engine> OpenSmall(const std::string& directory);

// Bytes that no compression makes smaller.
std::string Noise(std::size_t size);

}  // namespace starling::storage
