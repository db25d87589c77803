// tests/server/unreadable_engine.h: an engine of which scans find some of the data unreadable.
//
// Thread: as the engine below; the test sets what is unreadable between two turns.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "storage/engine.h"

namespace starling::server {

class UnreadableEngine final : public storage::Engine {
 public:
  explicit UnreadableEngine(storage::Engine& engine) : engine_(engine) {}

  // A cursor that comes to such a key of the data ends there, with Corruption.
  std::function<bool(base::Bytes)> unreadable = [](base::Bytes) { return false; };

  std::unique_ptr<storage::Cursor> Scan(storage::Family family, base::Bytes begin,
                                        base::Bytes end) override {
    auto cursor = engine_.Scan(family, begin, end);
    if (family != storage::Family::kData) return cursor;
    return std::make_unique<Cursor>(*this, std::move(cursor));
  }

  void Get(storage::Family family, std::span<const base::Bytes> keys, storage::Tier tier,
           storage::GetSink& sink) override {
    engine_.Get(family, keys, tier, sink);
  }
  base::Status Write(std::span<const storage::Batch* const> batches, storage::Sync sync) override {
    return engine_.Write(batches, sync);
  }
  base::Status SyncLog() override { return engine_.SyncLog(); }
  base::Status AddTables(storage::Family family,
                         std::span<const std::span<const storage::SortedEntry>> tables) override {
    return engine_.AddTables(family, tables);
  }
  std::uint64_t sequence() const override { return engine_.sequence(); }
  base::Status Flush() override { return engine_.Flush(); }
  base::Status Compact() override { return engine_.Compact(); }
  base::Result<std::unique_ptr<storage::Engine>> Checkpoint(const std::string& to) override {
    return engine_.Checkpoint(to);
  }
  std::vector<storage::Table> Tables() const override { return engine_.Tables(); }
  base::Status CheckTable(const std::string& name) override { return engine_.CheckTable(name); }
  storage::EngineStats stats() const override { return engine_.stats(); }
  std::vector<storage::FamilySize> Families() const override { return engine_.Families(); }
  std::uint64_t ApproximateBytes(storage::Family family, base::Bytes begin,
                                 base::Bytes end) const override {
    return engine_.ApproximateBytes(family, begin, end);
  }

 private:
  class Cursor final : public storage::Cursor {
   public:
    Cursor(UnreadableEngine& engine, std::unique_ptr<storage::Cursor> below)
        : engine_(engine), below_(std::move(below)) {}
    void Seek(base::Bytes key) override {
      below_->Seek(key);
      Look();
    }
    bool Valid() const override { return status_.ok() && below_->Valid(); }
    void Next() override {
      below_->Next();
      Look();
    }
    base::Bytes key() const override { return below_->key(); }
    base::Bytes value() const override { return below_->value(); }
    base::Status status() const override { return status_.ok() ? below_->status() : status_; }

   private:
    void Look() {
      if (below_->Valid() && engine_.unreadable(below_->key()))
        status_ = base::Corruption("a block cannot be read");
    }
    UnreadableEngine& engine_;
    const std::unique_ptr<storage::Cursor> below_;
    base::Status status_;
  };

  storage::Engine& engine_;
};

}  // namespace starling::server
