// benchmarks/tree/store.h: what a worker's turn needs of an engine.
//
// Thread: one at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "storage/engine.h"
#include "storage/entry.h"

namespace starling::benchmarks {

// What a lookup found, by the index of the key.
struct LookedUp final : storage::GetSink {
  void Prepare(std::size_t size);
  void OnFound(std::size_t index, storage::Found result, base::Bytes value,
               const base::Status& why) override;

  std::vector<storage::Found> found;
  std::vector<storage::EntryHeader> headers;
  base::Status error;
};

class Store {
 public:
  virtual ~Store() = default;
  virtual void Get(std::span<const base::Bytes> keys, storage::Tier tier, LookedUp& into) = 0;
  virtual base::Status Write(const storage::Batch& batch, storage::Sync sync) = 0;
  virtual base::Status Flush() = 0;
  virtual bool Idle() const = 0;  // Nothing is flushed or compacted.
};

struct StoreOptions {
  std::string directory;
  std::size_t block_cache_bytes = 0;
  std::size_t memtable_bytes = 0;
};

// The engine of production.
base::Result<std::unique_ptr<Store>> OpenEngineStore(const StoreOptions& options);

}  // namespace starling::benchmarks
