// tests/storage/engine_suite.h: what every storage::Engine must do, told once and run on each.
//
// A test gives a Machine, which is an engine, the disk below it, and the ways in which a process
// and a power supply end. Call RunEngineSuite in a TEST_CASE: its SUBCASEs are the specification.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "storage/engine.h"

namespace starling::storage {

class Machine {
 public:
  virtual ~Machine() = default;
  virtual Engine& engine() = 0;
  virtual void Kill() = 0;  // The process ends and starts again: all that was written is there.
  // Power goes and returns. What was synced stays, of the rest a prefix drawn from `random`.
  virtual void LosePower(base::Random& random) = 0;
  virtual bool can_lose_power() const = 0;
};

using MakeMachine = std::function<std::unique_ptr<Machine>()>;

void RunEngineSuite(const MakeMachine& make_machine);

// Builders that the tests of engines share.
using Entries = std::vector<std::pair<std::string, std::string>>;

struct Lookup {
  Found found = Found::kError;
  std::string value;
  bool operator==(const Lookup&) const = default;
};

Batch PutBatch(base::Bytes key, base::Bytes value, Family family = Family::kData);
base::Status WriteOne(Engine& engine, const Batch& batch, Sync sync = Sync::kNo);
std::vector<Lookup> GetMany(Engine& engine, Family family, const std::vector<std::string>& keys,
                            Tier tier = Tier::kAll);
// Adds one table for each of `tables`, which are in order.
base::Status AddTables(Engine& engine, const std::vector<Entries>& tables,
                       Family family = Family::kData);
Entries ScanAll(Engine& engine, Family family, base::Bytes begin = {}, base::Bytes end = {});

}  // namespace starling::storage
