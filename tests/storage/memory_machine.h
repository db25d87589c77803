// tests/storage/memory_machine.h: the engine in memory, as the shared suites want it.
#pragma once

#include <memory>

#include "storage/memory_engine.h"
#include "tests/storage/engine_suite.h"

namespace starling::storage {

class MemoryMachine final : public Machine {
 public:
  Engine& engine() override { return *engine_; }
  void Kill() override { engine_ = std::make_unique<MemoryEngine>(disk_); }
  void LosePower(base::Random& random) override {
    engine_.reset();
    disk_->Crash(random);
    Kill();
  }
  bool can_lose_power() const override { return true; }

 private:
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<MemoryEngine> engine_ = std::make_unique<MemoryEngine>(disk_);
};

}  // namespace starling::storage
