#include "benchmarks/tree/rocks_store.h"

#include <rocksdb/write_batch.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "merkle/digest.h"
#include "storage/rocksdb/to_status.h"
#include "storage/rocksdb/tuning.h"

namespace starling::benchmarks {
namespace {

using storage::Family;
using storage::Found;

rocksdb::Slice ToSlice(base::Bytes bytes) { return {bytes.data(), bytes.size()}; }

// A batch in RocksDB's own form, the tree's changes first (storage/rocksdb/rocksdb_engine.cc).
struct Split {
  rocksdb::WriteBatch& merged;
  const std::vector<rocksdb::ColumnFamilyHandle*>& families;
  std::string* leaves = nullptr;  // Where they are gathered apart; null: they are put.
  bool of_tree = false;
  rocksdb::Status status{};

  void Put(Family family, base::Bytes key, base::Bytes value) {
    if ((family == Family::kTree) != of_tree) return;
    if (of_tree && leaves != nullptr && value.size() == merkle::Digest::kSize) {
      leaves->append(key);
      leaves->append(value);
      return;
    }
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

Found FoundOf(const rocksdb::Status& status) {
  if (status.ok()) return Found::kValue;
  if (status.IsNotFound()) return Found::kAbsent;
  return status.IsIncomplete() ? Found::kNotCached : Found::kError;
}

}  // namespace

RocksStore::RocksStore(bool leaves_are_log_data, rocksdb::DB* db,
                       std::vector<rocksdb::ColumnFamilyHandle*> families)
    : leaves_are_log_data_(leaves_are_log_data), db_(db), families_(std::move(families)) {}

RocksStore::~RocksStore() {
  for (rocksdb::ColumnFamilyHandle* family : families_)
    db_->DestroyColumnFamilyHandle(family).PermitUncheckedError();  // Frees memory only.
}

base::Result<std::unique_ptr<RocksStore>> RocksStore::Open(const RocksStoreOptions& options) {
  const storage::RocksDbOptions same{.directory = options.store.directory,
                                     .block_cache_bytes = options.store.block_cache_bytes,
                                     .memtable_bytes = options.store.memtable_bytes,
                                     .file_system = nullptr};
  RocksSetup setup{storage::DatabaseOptions(same, rocksdb::Env::Default()),
                   storage::FamilyDescriptors(same)};
  if (options.change) options.change(setup);
  std::error_code error;  // If it cannot be made, opening it says why.
  std::filesystem::create_directories(same.directory, error);
  rocksdb::DB* opened = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  RETURN_IF_ERROR(storage::ToStatus(
      rocksdb::DB::Open(setup.database, same.directory, setup.families, &families, &opened),
      "opening " + same.directory));
  return std::unique_ptr<RocksStore>(
      new RocksStore(options.leaves_are_log_data, opened, std::move(families)));
}

void RocksStore::Get(std::span<const base::Bytes> keys, storage::Tier tier, LookedUp& into) {
  rocksdb::ReadOptions options;
  if (tier == storage::Tier::kCacheOnly) options.read_tier = rocksdb::kBlockCacheTier;
  if (values_.size() < keys.size()) values_.resize(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const rocksdb::Status status =
        db_->Get(options, family(Family::kData), ToSlice(keys[i]), &values_[i]);
    const Found found = FoundOf(status);
    into.OnFound(i, found, {values_[i].data(), values_[i].size()},
                 found == Found::kError ? storage::ToStatus(status, "reading a key") : base::Ok());
    values_[i].Reset();
  }
}

base::Status RocksStore::Write(const storage::Batch& batch, storage::Sync sync) {
  merged_.Clear();
  leaves_.clear();
  Split split{merged_, families_, leaves_are_log_data_ ? &leaves_ : nullptr};
  for (const bool of_tree : {true, false}) {
    split.of_tree = of_tree;
    batch.ForEach(split);
  }
  if (!leaves_.empty()) split.Keep(merged_.PutLogData(leaves_));
  RETURN_IF_ERROR(storage::ToStatus(split.status, "building a write"));
  rocksdb::WriteOptions options;
  options.sync = sync == storage::Sync::kYes;
  return storage::ToStatus(db_->Write(options, &merged_), "writing");
}

base::Status RocksStore::Flush() {
  return storage::ToStatus(db_->Flush(rocksdb::FlushOptions(), families_), "flushing");
}

bool RocksStore::Idle() const {
  std::uint64_t pending = 0;
  return !db_->GetAggregatedIntProperty(rocksdb::DB::Properties::kEstimatePendingCompactionBytes,
                                        &pending) ||
         pending == 0;
}

}  // namespace starling::benchmarks
