#include "storage/memory_engine.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "storage/entry.h"

namespace starling::storage {
namespace {

constexpr base::Bytes kTableName = "entries";

}  // namespace

// Applies a batch and records how to take it back.
struct MemoryDisk::Applier {
  MemoryDisk& disk;
  std::vector<Undo>& undos;
  std::uint64_t bytes = 0;

  void Put(Family family, base::Bytes key, base::Bytes value) {
    Table& table = disk.Changed(family);
    bytes += key.size() + value.size();
    const auto at = table.lower_bound(key);
    if (at != table.end() && at->first == key) {
      undos.push_back({family, at->first, std::exchange(at->second, std::string(value))});
    } else {
      table.emplace_hint(at, key, value);
      undos.push_back({family, std::string(key), std::nullopt});
    }
  }

  void Delete(Family family, base::Bytes key) {
    Table& table = disk.Changed(family);
    bytes += key.size();
    const auto at = table.find(key);
    if (at == table.end()) return;
    undos.push_back({family, at->first, std::move(at->second)});
    table.erase(at);
  }
};

MemoryDisk::MemoryDisk() {
  for (std::shared_ptr<Table>& table : tables_) table = std::make_shared<Table>();
}

MemoryDisk::Table& MemoryDisk::Changed(Family family) {
  std::shared_ptr<Table>& table = tables_[static_cast<std::size_t>(family)];
  if (table.use_count() > 1) table = std::make_shared<Table>(*table);
  return *table;
}

void MemoryDisk::UndoLastWrite() {
  CHECK(!unsynced_.empty());
  auto& [undos, changes] = unsynced_.back();
  for (auto undo = undos.rbegin(); undo != undos.rend(); ++undo) {
    if (undo->old_value)
      Changed(undo->family).insert_or_assign(std::move(undo->key), *std::move(undo->old_value));
    else
      Changed(undo->family).erase(undo->key);
  }
  sequence_ -= changes;
  unsynced_.pop_back();
}

void MemoryDisk::ForgetUndosOf(Family family,
                               std::span<const std::span<const SortedEntry>> tables) {
  const auto was_added = [&](const Undo& undo) {
    if (undo.family != family) return false;
    const auto table =
        std::ranges::lower_bound(tables, base::Bytes(undo.key), {},
                                 [](std::span<const SortedEntry> each) { return each.back().key; });
    return table != tables.end() &&
           std::ranges::binary_search(*table, base::Bytes(undo.key), {}, &SortedEntry::key);
  };
  for (Unsynced& write : unsynced_) std::erase_if(write.undos, was_added);
}

void MemoryDisk::Crash(std::size_t keep) {
  const std::lock_guard lock(mutex_);
  while (unsynced_.size() > keep) UndoLastWrite();
  unsynced_.clear();  // What is left is on the platter now.
}

void MemoryDisk::Crash(base::Random& random) { Crash(random.Below(unsynced_writes() + 1)); }

void MemoryDisk::FailWrites(base::Status status) {
  const std::lock_guard lock(mutex_);
  write_failure_ = std::move(status);
}

void MemoryDisk::FailSyncs(base::Status status) {
  const std::lock_guard lock(mutex_);
  sync_failure_ = std::move(status);
}

std::shared_ptr<MemoryDisk> MemoryDisk::Copy() const {
  const std::lock_guard lock(mutex_);
  auto copy = std::make_shared<MemoryDisk>();
  for (std::size_t i = 0; i < kFamilies; ++i) *copy->tables_[i] = *tables_[i];
  copy->unsynced_ = unsynced_;
  copy->sequence_ = sequence_;
  return copy;
}

std::uint64_t MemoryDisk::entries_in_tables() const {
  const std::lock_guard lock(mutex_);
  return entries_in_tables_;
}

std::size_t MemoryDisk::unsynced_writes() const {
  const std::lock_guard lock(mutex_);
  return unsynced_.size();
}

// Walks over the table as it is: a write takes another (MemoryDisk::Changed).
class MemoryEngine::SnapshotCursor final : public Cursor {
 public:
  using Table = MemoryDisk::Table;

  // Under the disk's mutex.
  SnapshotCursor(std::shared_ptr<MemoryDisk> disk, std::shared_ptr<const Table> table,
                 base::Bytes begin, base::Bytes end, std::uint64_t& bytes_read)
      : disk_(std::move(disk)),
        table_(std::move(table)),
        begin_(table_->lower_bound(begin)),
        end_(end.empty() ? table_->end() : table_->lower_bound(end)),
        at_(end_),
        bytes_read_(bytes_read) {
    if (!end.empty() && end < begin) begin_ = at_ = end_;
  }
  // A writer that finds the table its own must see that this one is done with it.
  ~SnapshotCursor() override {
    const std::lock_guard lock(disk_->mutex_);
    table_.reset();
  }

  void Seek(base::Bytes key) override {
    at_ = table_->lower_bound(key);
    if (begin_ == end_ || (begin_ != table_->end() && key < begin_->first)) at_ = begin_;
    if (end_ != table_->end() && key >= end_->first) at_ = end_;
    CountRead();
  }
  bool Valid() const override { return at_ != end_; }
  void Next() override {
    CHECK(Valid());
    ++at_;
    CountRead();
  }
  base::Bytes key() const override {
    CHECK(Valid());
    return at_->first;
  }
  base::Bytes value() const override {
    CHECK(Valid());
    return at_->second;
  }
  base::Status status() const override { return base::Ok(); }

 private:
  void CountRead() {
    if (!Valid()) return;
    const std::lock_guard lock(disk_->mutex_);
    bytes_read_ += at_->first.size() + at_->second.size();
  }

  const std::shared_ptr<MemoryDisk> disk_;
  std::shared_ptr<const Table> table_;
  Table::const_iterator begin_, end_, at_;
  std::uint64_t& bytes_read_;  // The engine's, guarded by the disk's mutex.
};

MemoryEngine::MemoryEngine(std::shared_ptr<MemoryDisk> disk, MemoryEngineOptions options)
    : disk_(std::move(disk)), options_(options), random_(options.seed) {
  CHECK(disk_ != nullptr);
}

void MemoryEngine::Get(Family family, std::span<const base::Bytes> keys, Tier tier, GetSink& sink) {
  const base::Status no_error;
  const std::lock_guard lock(disk_->mutex_);
  const MemoryDisk::Table& table = disk_->table(family);
  const bool may_miss = tier == Tier::kCacheOnly && options_.miss_probability > 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (may_miss && random_.Chance(options_.miss_probability)) {
      sink.OnFound(i, Found::kNotCached, {}, no_error);
      continue;
    }
    const auto at = table.find(keys[i]);
    if (at == table.end()) {
      sink.OnFound(i, Found::kAbsent, {}, no_error);
      continue;
    }
    stats_.bytes_read += at->second.size();
    sink.OnFound(i, Found::kValue, at->second, no_error);
  }
}

base::Status MemoryEngine::Write(std::span<const Batch* const> batches, Sync sync) {
  const std::lock_guard lock(disk_->mutex_);
  RETURN_IF_ERROR(disk_->write_failure_);
  if (sync == Sync::kYes) RETURN_IF_ERROR(disk_->sync_failure_);
  auto& [undos, changes] = disk_->unsynced_.emplace_back();
  MemoryDisk::Applier applier{*disk_, undos};
  for (const Batch* batch : batches) batch->ForEach(applier);
  stats_.bytes_written += applier.bytes;
  changes = undos.size();
  disk_->sequence_ += changes;
  if (sync == Sync::kYes) disk_->unsynced_.clear();
  return base::Ok();
}

base::Status MemoryEngine::SyncLog() {
  const std::lock_guard lock(disk_->mutex_);
  RETURN_IF_ERROR(disk_->write_failure_);
  RETURN_IF_ERROR(disk_->sync_failure_);
  disk_->unsynced_.clear();
  return base::Ok();
}

base::Status MemoryEngine::AddTables(Family family,
                                     std::span<const std::span<const SortedEntry>> tables) {
  CheckSorted(tables);
  const std::lock_guard lock(disk_->mutex_);
  RETURN_IF_ERROR(disk_->write_failure_);
  RETURN_IF_ERROR(disk_->sync_failure_);
  if (tables.empty()) return base::Ok();
  disk_->ForgetUndosOf(family, tables);
  MemoryDisk::Table& stored = disk_->Changed(family);
  for (const std::span<const SortedEntry> table : tables) {
    disk_->entries_in_tables_ += table.size();
    auto at = stored.lower_bound(table.front().key);
    if (at != stored.end() && at->first <= table.back().key) ++disk_->sequence_;
    for (const auto& [key, value] : table) {
      while (at != stored.end() && at->first < key) ++at;
      if (at != stored.end() && at->first == key)
        at->second = value;
      else
        at = stored.emplace_hint(at, key, value);
      stats_.bytes_written += key.size() + value.size();
    }
  }
  return base::Ok();
}

std::unique_ptr<Cursor> MemoryEngine::Scan(Family family, base::Bytes begin, base::Bytes end) {
  const std::lock_guard lock(disk_->mutex_);
  return std::make_unique<SnapshotCursor>(disk_, disk_->tables_[static_cast<std::size_t>(family)],
                                          begin, end, stats_.iter_bytes_read);
}

std::uint64_t MemoryEngine::sequence() const {
  const std::lock_guard lock(disk_->mutex_);
  return disk_->sequence_;
}

base::Status MemoryEngine::Flush() { return SyncLog(); }

base::Status MemoryEngine::Compact() { return SyncLog(); }

base::Result<std::unique_ptr<Engine>> MemoryEngine::Checkpoint(const std::string& directory) {
  return base::Fail(
      base::FailedPrecondition("an engine in memory has no files to keep in " + directory));
}

std::vector<Table> MemoryEngine::Tables() const {
  const std::lock_guard lock(disk_->mutex_);
  Table all{std::string(kTableName), 0};
  for (const auto& [key, value] : disk_->table(Family::kData))
    all.bytes += key.size() + value.size();
  return {all};
}

base::Status MemoryEngine::CheckTable(const std::string& name) {
  if (name != kTableName) return base::NotFound("there is no table " + name);
  const std::lock_guard lock(disk_->mutex_);
  for (const auto& [key, value] : disk_->table(Family::kData))
    if (const auto entry = DecodeSoundEntry(value); !entry) return entry.error();
  return base::Ok();
}

std::vector<FamilySize> MemoryEngine::Families() const {
  const std::vector<storage::Table> tables = Tables();
  return {{.name = "data", .tables = tables.size(), .table_bytes = tables.front().bytes}};
}

EngineStats MemoryEngine::stats() const {
  const std::lock_guard lock(disk_->mutex_);
  EngineStats stats = stats_;
  const MemoryDisk::Table& data = disk_->table(Family::kData);
  stats.keys_estimate = data.size();
  for (const auto& [key, value] : data) stats.live_data_bytes += key.size() + value.size();
  return stats;
}

std::uint64_t MemoryEngine::ApproximateBytes(Family family, base::Bytes begin,
                                             base::Bytes end) const {
  const std::lock_guard lock(disk_->mutex_);
  const MemoryDisk::Table& table = disk_->table(family);
  std::uint64_t bytes = 0;
  for (auto at = table.lower_bound(begin); at != table.end(); ++at) {
    if (!end.empty() && at->first >= end) break;
    bytes += at->first.size() + at->second.size();
  }
  return bytes;
}

}  // namespace starling::storage
