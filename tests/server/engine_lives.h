// tests/server/engine_lives.h: a data directory on virtual time, through the lives of an actor that
// works on it.
//
//   EngineLives<Life> machine(seed);  // Life(base::World&, storage::Engine&, storage::Guard&,
//   machine.Begin(more...);           //      base::Random&, more...)
//   machine.sim.RunFor(base::milliseconds(60));
//   machine.End(true);
//
// Thread: confined.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/random.h"
#include "server/stored_trees.h"
#include "storage/guard.h"
#include "storage/memory_engine.h"
#include "tests/sim/simulation.h"
#include "tests/test.h"

namespace starling::server {

template <typename Life>
struct EngineLives {
  explicit EngineLives(std::uint64_t seed) : random(seed), sim(seed) {
    host = &sim.AddHost(0x7f000001);
    engine = std::make_unique<storage::MemoryEngine>(disk);
  }
  template <typename... More>
  void Begin(More&&... more) {
    REQUIRE(FoldTrees(*engine).ok());
    base::World& world = host->MakeWorld(base::kControlActor);
    life = std::make_unique<Life>(world, *engine, guard, random, std::forward<More>(more)...);
    host->Attach(base::kControlActor, *life);
    host->Start();
  }
  void End(bool by_power_loss) {
    host->Crash(sim::SimHost::How::kKilled);
    life.reset();
    engine.reset();
    if (by_power_loss) disk->Crash(random);
    engine = std::make_unique<storage::MemoryEngine>(disk);
  }
  // For a Life with `resting`, after which it begins nothing, and Quiet().
  void RestUntilQuiet() {
    life->resting = true;
    REQUIRE(sim.Await(base::seconds(60), [&] { return life->Quiet(); }));
    sim.RunFor(base::milliseconds(50));
  }

  base::Random random;
  sim::Simulation sim;
  sim::SimHost* host = nullptr;
  std::shared_ptr<storage::MemoryDisk> disk = std::make_shared<storage::MemoryDisk>();
  std::unique_ptr<storage::MemoryEngine> engine;
  std::string guard_file;
  storage::MemoryGuard guard{guard_file};
  std::unique_ptr<Life> life;
};

}  // namespace starling::server
