#include "benchmarks/tree/store.h"
#include "storage/rocksdb/rocksdb_engine.h"

namespace starling::benchmarks {
namespace {

class EngineStore final : public Store {
 public:
  explicit EngineStore(std::unique_ptr<storage::Engine> engine) : engine_(std::move(engine)) {}

  void Get(std::span<const base::Bytes> keys, storage::Tier tier, LookedUp& into) override {
    engine_->Get(storage::Family::kData, keys, tier, into);
  }
  base::Status Write(const storage::Batch& batch, storage::Sync sync) override {
    const storage::Batch* const batches[] = {&batch};
    return engine_->Write(batches, sync);
  }
  base::Status Flush() override { return engine_->Flush(); }
  bool Idle() const override { return engine_->stats().pending_compaction_bytes == 0; }

 private:
  const std::unique_ptr<storage::Engine> engine_;
};

}  // namespace

void LookedUp::Prepare(std::size_t size) {
  found.assign(size, storage::Found::kAbsent);
  headers.assign(size, {});
}

void LookedUp::OnFound(std::size_t index, storage::Found result, base::Bytes value,
                       const base::Status& why) {
  found.at(index) = result;
  headers.at(index) = {};
  if (result == storage::Found::kError) error = why;
  if (result != storage::Found::kValue) return;
  const auto entry = storage::DecodeEntry(value);
  if (entry)
    headers.at(index) = entry->header;
  else
    error = entry.error();
}

base::Result<std::unique_ptr<Store>> OpenEngineStore(const StoreOptions& options) {
  ASSIGN_OR_RETURN(auto engine,
                   storage::RocksDbEngine::Open({.directory = options.directory,
                                                 .block_cache_bytes = options.block_cache_bytes,
                                                 .memtable_bytes = options.memtable_bytes,
                                                 .file_system = nullptr}));
  return std::make_unique<EngineStore>(std::move(engine));
}

}  // namespace starling::benchmarks
