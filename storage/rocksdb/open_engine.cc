#include "storage/rocksdb/open_engine.h"

#include <fmt/core.h>
#include <rocksdb/utilities/checkpoint.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "base/check.h"
#include "storage/entry.h"
#include "storage/rocksdb/table_check.h"
#include "storage/rocksdb/to_status.h"

namespace starling::storage {
namespace {

// Of an engine that is opened to be walked over once.
constexpr std::size_t kReaderCacheBytes = 8 << 20;

rocksdb::Slice ToSlice(base::Bytes bytes) { return {bytes.data(), bytes.size()}; }
base::Bytes ToBytes(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

constexpr base::Bytes kLastChangeKey = "last_change";  // Of Family::kMeta: no value.

// A write that RocksDB holds back and will not wait with.
constexpr std::chrono::seconds kHeldBackMax{60};
constexpr std::chrono::milliseconds kHeldBackLook{20};

// What one call of Get needs, kept from call to call so that a call allocates nothing.
struct GetScratch {
  std::vector<rocksdb::Slice> keys;
  std::vector<rocksdb::PinnableSlice> values;
  std::vector<rocksdb::Status> statuses;
  bool in_use = false;

  void Prepare(std::size_t size) {
    CHECK(!in_use);  // A GetSink must not call the engine.
    in_use = true;
    if (values.size() >= size) return;
    keys.resize(size);
    values.resize(size);
    statuses.resize(size);
  }
  void Release(std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) values[i].Reset();  // Unpins cached blocks.
    in_use = false;
  }
};

class RocksCursor final : public Cursor {
 public:
  RocksCursor(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, base::Bytes begin,
              base::Bytes end)
      : begin_(begin), end_(end), lower_(begin_), upper_(end_) {
    rocksdb::ReadOptions options;
    options.fill_cache = false;  // A walk over everything must not push out what is being read.
    options.total_order_seek = true;  // Else a family that hashes its keys shows one hash's only.
    options.iterate_lower_bound = &lower_;
    if (!end_.empty()) options.iterate_upper_bound = &upper_;
    iterator_.reset(db.NewIterator(options, family));
  }

  void Seek(base::Bytes key) override { iterator_->Seek(ToSlice(key)); }
  bool Valid() const override { return iterator_->Valid(); }
  void Next() override {
    CHECK(Valid());
    iterator_->Next();
  }
  base::Bytes key() const override { return ToBytes(iterator_->key()); }
  base::Bytes value() const override { return ToBytes(iterator_->value()); }
  base::Status status() const override { return ToStatus(iterator_->status(), "scanning"); }

 private:
  const std::string begin_, end_;  // The bounds point into them.
  const rocksdb::Slice lower_, upper_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

// Copies a batch's changes into RocksDB's own form: those of the tree, or all others.
struct MergeVisitor {
  rocksdb::WriteBatch& merged;
  const std::vector<rocksdb::ColumnFamilyHandle*>& families;
  bool of_tree = false;
  rocksdb::Status status{};  // The first failure.

  void Put(Family family, base::Bytes key, base::Bytes value) {
    if ((family == Family::kTree) != of_tree) return;
    Keep(merged.Put(families[static_cast<std::size_t>(family)], ToSlice(key), ToSlice(value)));
  }
  void Delete(Family family, base::Bytes key) {
    if ((family == Family::kTree) != of_tree) return;
    Keep(merged.Delete(families[static_cast<std::size_t>(family)], ToSlice(key)));
  }
  void Keep(rocksdb::Status added) {
    if (status.ok()) status = std::move(added);
  }
};

}  // namespace

void OpenEngine::Report(std::size_t index, const rocksdb::Status& status,
                        const rocksdb::PinnableSlice& value, GetSink& sink) const {
  if (status.ok())
    sink.OnFound(index, Found::kValue, ToBytes(value), {});
  else if (status.IsNotFound())
    sink.OnFound(index, Found::kAbsent, {}, {});
  else if (status.IsIncomplete())
    sink.OnFound(index, Found::kNotCached, {}, {});
  else
    sink.OnFound(index, Found::kError, {},
                 ToStatus(status, fmt::format("reading a key in {}", options_.directory)));
}

void OpenEngine::Get(Family family, std::span<const base::Bytes> keys, Tier tier, GetSink& sink) {
  static thread_local GetScratch scratch;
  scratch.Prepare(keys.size());
  rocksdb::ReadOptions options;
  if (tier == Tier::kCacheOnly) options.read_tier = rocksdb::kBlockCacheTier;
  // MultiGet saves 40 % of the time of single Gets, but RocksDB 7.8's reads the disk whatever the
  // tier says, and a worker must never wait for that (docs/decisions, 0003).
  if (tier == Tier::kCacheOnly || keys.size() == 1) {
    for (std::size_t i = 0; i < keys.size(); ++i)
      scratch.statuses[i] = db_->Get(options, handle(family), ToSlice(keys[i]), &scratch.values[i]);
  } else if (!keys.empty()) {
    std::transform(keys.begin(), keys.end(), scratch.keys.begin(), ToSlice);
    db_->MultiGet(options, handle(family), keys.size(), scratch.keys.data(), scratch.values.data(),
                  scratch.statuses.data());
  }
  for (std::size_t i = 0; i < keys.size(); ++i)
    Report(i, scratch.statuses[i], scratch.values[i], sink);
  scratch.Release(keys.size());
}

base::Status OpenEngine::WriteFailed(const rocksdb::Status& status, std::string_view attempted) {
  CHECK(!status.ok());
  write_failure_ = ToStatus(status, fmt::format("{} in {}", attempted, options_.directory));
  failed_ = true;
  return write_failure_;
}

base::Status OpenEngine::Write(std::span<const Batch* const> batches, Sync sync) {
  RETURN_IF_ERROR(write_failure_);
  merged_.Clear();
  // What is changed in place of the tree keeps its old sequence number, and the one that it was
  // given lives in the log alone: once that is flushed and gone, fewer changes would be recovered
  // than were written, and sequence() says that none is lost. So the last number of a write is
  // never the tree's: its changes come first.
  MergeVisitor merge{merged_, families_};
  for (const bool of_tree : {true, false}) {
    merge.of_tree = of_tree;
    const auto before = merged_.Count();
    for (const Batch* batch : batches) batch->ForEach(merge);
    if (!of_tree && before > 0 && merged_.Count() == before)
      merge.Put(Family::kMeta, kLastChangeKey, {});
  }
  if (!merge.status.ok()) return WriteFailed(merge.status, "building a write");
  if (merged_.Count() == 0) return sync == Sync::kYes ? SyncLog() : base::Ok();
  rocksdb::WriteOptions options;
  options.sync = sync == Sync::kYes;
  rocksdb::Status status = db_->Write(options, &merged_);
  // While compactions fail, for want of room say, RocksDB does not wait with a writer that it holds
  // back: it writes nothing and says so. Where a flush was too slow, it soon lets it go on.
  const auto ends = std::chrono::steady_clock::now() + kHeldBackMax;
  while (status.IsIncomplete() && std::chrono::steady_clock::now() < ends) {
    std::this_thread::sleep_for(kHeldBackLook);
    status = db_->Write(options, &merged_);
  }
  return status.ok() ? base::Ok() : WriteFailed(status, "writing to the log");
}

base::Status OpenEngine::SyncLog() {
  RETURN_IF_ERROR(write_failure_);
  const rocksdb::Status status = db_->SyncWAL();
  return status.ok() ? base::Ok() : WriteFailed(status, "syncing the log");
}

base::Status OpenEngine::AddTables(Family family,
                                   std::span<const std::span<const SortedEntry>> tables) {
  CheckSorted(tables);
  RETURN_IF_ERROR(RefuseIfFailed("adding tables"));
  if (adder_ == nullptr)
    return base::FailedPrecondition(
        fmt::format("adding tables in {}: it is opened to be read only", options_.directory));
  RETURN_IF_ERROR(adder_->Add(handle(family), tables));
  std::uint64_t bytes = 0;
  for (const std::span<const SortedEntry> table : tables)
    for (const auto& [key, value] : table) bytes += key.size() + value.size();
  added_bytes_ += bytes;
  return base::Ok();
}

std::unique_ptr<Cursor> OpenEngine::Scan(Family family, base::Bytes begin, base::Bytes end) {
  return std::make_unique<RocksCursor>(*db_, handle(family), begin, end);
}

base::Status OpenEngine::RefuseIfFailed(std::string_view attempted) const {
  if (!failed_) return base::Ok();
  return base::Io(
      fmt::format("{} in {}: a write there has failed before, so nothing is written any more",
                  attempted, options_.directory));
}

base::Status OpenEngine::Flush() {
  RETURN_IF_ERROR(RefuseIfFailed("flushing memtables"));
  return ToStatus(db_->Flush(rocksdb::FlushOptions(), families_),
                  fmt::format("flushing memtables in {}", options_.directory));
}

base::Status OpenEngine::Compact() {
  RETURN_IF_ERROR(RefuseIfFailed("compacting"));
  rocksdb::CompactRangeOptions options;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  for (rocksdb::ColumnFamilyHandle* family : families_)
    RETURN_IF_ERROR(
        ToStatus(db_->CompactRange(options, family, nullptr, nullptr),
                 fmt::format("compacting {} in {}", family->GetName(), options_.directory)));
  return base::Ok();
}

base::Result<std::unique_ptr<Engine>> OpenEngine::Checkpoint(const std::string& directory) {
  RETURN_IF_ERROR(RefuseIfFailed("making a checkpoint"));
  const std::string attempted =
      fmt::format("making a checkpoint of {} in {}", options_.directory, directory);
  rocksdb::Checkpoint* made = nullptr;
  RETURN_IF_ERROR(ToStatus(rocksdb::Checkpoint::Create(db_.get(), &made), attempted));
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  RETURN_IF_ERROR(ToStatus(checkpoint->CreateCheckpoint(directory), attempted));
  return RocksDbEngine::OpenToRead({.directory = directory,
                                    .block_cache_bytes = kReaderCacheBytes,
                                    .memtable_bytes = kReaderCacheBytes,
                                    .file_system = options_.file_system});
}

std::vector<Table> OpenEngine::Tables() const {
  std::vector<rocksdb::LiveFileMetaData> files;
  db_->GetLiveFilesMetaData(&files);
  std::vector<Table> tables;
  tables.reserve(files.size());
  for (const auto& file : files) tables.push_back({file.name, file.size});
  return tables;
}

base::Status OpenEngine::CheckTable(const std::string& name) {
  const auto find = [&]() -> std::optional<std::string> {
    std::vector<rocksdb::LiveFileMetaData> files;
    db_->GetLiveFilesMetaData(&files);
    for (const auto& file : files)
      if (file.name == name) return file.column_family_name;
    return std::nullopt;
  };
  const std::optional<std::string> family = find();
  const auto gone = [&] {
    return base::NotFound(fmt::format("{}{} was replaced", options_.directory, name));
  };
  if (!family) return gone();
  base::Status found = CheckTableFile(*db_->GetEnv(), options_.directory + name,
                                      *family == handle(Family::kData)->GetName());
  // A compaction may have replaced it meanwhile, and removed it.
  return found.ok() || find() ? found : gone();
}

EngineStats OpenEngine::stats() const {
  const auto of_data = [this](const std::string& property) {
    std::uint64_t value = 0;
    return db_->GetIntProperty(handle(Family::kData), property, &value) ? value : 0;
  };
  const auto of_all = [this](const std::string& property) {
    std::uint64_t value = 0;
    return db_->GetAggregatedIntProperty(property, &value) ? value : 0;
  };
  using Properties = rocksdb::DB::Properties;
  EngineStats stats;
  // RocksDB counts a MultiGet apart from a Get.
  stats.bytes_read = statistics_->getTickerCount(rocksdb::BYTES_READ) +
                     statistics_->getTickerCount(rocksdb::NUMBER_MULTIGET_BYTES_READ);
  stats.iter_bytes_read = statistics_->getTickerCount(rocksdb::ITER_BYTES_READ);
  stats.bytes_written = statistics_->getTickerCount(rocksdb::BYTES_WRITTEN) + added_bytes_;
  // What is in the memtables takes its room on the disk in the log.
  stats.live_data_bytes =
      of_data(Properties::kEstimateLiveDataSize) + of_data(Properties::kCurSizeAllMemTables);
  stats.keys_estimate = of_data(Properties::kEstimateNumKeys);
  stats.memtable_bytes = of_all(Properties::kSizeAllMemTables);
  stats.pending_compaction_bytes = of_all(Properties::kEstimatePendingCompactionBytes);
  stats.block_cache_bytes = of_data(Properties::kBlockCacheUsage);
  stats.table_index_bytes = of_all(Properties::kEstimateTableReadersMem);
  stats.sst_bytes = of_all(Properties::kTotalSstFilesSize);
  const auto ticks = [this](std::uint32_t ticker) { return statistics_->getTickerCount(ticker); };
  stats.block_cache_hits = ticks(rocksdb::BLOCK_CACHE_HIT);
  stats.block_cache_misses = ticks(rocksdb::BLOCK_CACHE_MISS);
  stats.wal_syncs = ticks(rocksdb::WAL_FILE_SYNCED);
  stats.wal_bytes = ticks(rocksdb::WAL_FILE_BYTES);
  stats.compaction_bytes_written = ticks(rocksdb::COMPACT_WRITE_BYTES);
  stats.stall_us = ticks(rocksdb::STALL_MICROS);
  // RocksDB counts them all with its family `default`.
  db_->GetIntProperty(Properties::kBackgroundErrors, &stats.background_errors);
  return stats;
}

std::vector<FamilySize> OpenEngine::Families() const {
  using Properties = rocksdb::DB::Properties;
  std::vector<rocksdb::LiveFileMetaData> files;
  db_->GetLiveFilesMetaData(&files);
  std::vector<FamilySize> sizes;
  for (rocksdb::ColumnFamilyHandle* family : families_) {
    FamilySize& size = sizes.emplace_back(FamilySize{.name = family->GetName()});
    for (const auto& file : files) {
      if (file.column_family_name != size.name) continue;
      ++size.tables;
      size.table_bytes += file.size;
    }
    const auto property = [&](const std::string& name) {
      std::uint64_t value = 0;
      return db_->GetIntProperty(family, name, &value) ? value : 0;
    };
    size.memtable_entries = property(Properties::kNumEntriesActiveMemTable) +
                            property(Properties::kNumEntriesImmMemTables);
    size.memtable_bytes = property(Properties::kCurSizeAllMemTables);
  }
  return sizes;
}

std::uint64_t OpenEngine::ApproximateBytes(Family family, base::Bytes begin,
                                           base::Bytes end) const {
  // RocksDB has no word for the end of a family: no key of ours is as high as this one.
  static const std::string past_all(kKeyPrefixBytes + kKeyBytesMax + 1, '\xff');
  if (end.empty()) end = past_all;
  if (begin >= end) return 0;
  rocksdb::SizeApproximationOptions options;
  options.include_files = true;
  options.include_memtables = true;
  const rocksdb::Range range(ToSlice(begin), ToSlice(end));
  std::uint64_t bytes = 0;
  const rocksdb::Status status =
      db_->GetApproximateSizes(options, handle(family), &range, 1, &bytes);
  return status.ok() ? bytes : 0;
}

}  // namespace starling::storage
