#include "storage/rocksdb/manifest.h"

#include <rocksdb/env.h>
#include <rocksdb/wal_filter.h>

#include <algorithm>
#include <map>
#include <memory>

#include "storage/rocksdb/info_log.h"
#include "storage/rocksdb/to_status.h"

namespace starling::storage {
namespace {

constexpr int kTablesOpenMax = 64;  // None is read; RocksDB asks for as many.

// Is told by RocksDB where each family's log begins, and wants to replay none of it.
class LogNumbers final : public rocksdb::WalFilter {
 public:
  std::uint64_t first() const { return first_; }

  void ColumnFamilyLogNumberMap(const std::map<std::uint32_t, std::uint64_t>& by_family,
                                const std::map<std::string, std::uint32_t>&) override {
    for (const auto& [family, number] : by_family)
      first_ = first_ == 0 ? number : std::min(first_, number);
  }
  WalProcessingOption LogRecord(const rocksdb::WriteBatch&, rocksdb::WriteBatch*,
                                bool*) const override {
    return WalProcessingOption::kStopReplay;
  }
  const char* Name() const override { return "LogNumbers"; }

 private:
  std::uint64_t first_ = 0;
};

}  // namespace

base::Result<Manifest> ReadManifest(const rocksdb::DBOptions& database,
                                    const std::string& directory,
                                    const std::vector<rocksdb::ColumnFamilyDescriptor>& families) {
  Manifest manifest;
  if (database.env->FileExists(directory + "/CURRENT").IsNotFound()) return manifest;
  LogNumbers numbers;
  rocksdb::DBOptions looking = database;
  looking.create_if_missing = false;
  looking.create_missing_column_families = false;
  looking.statistics = nullptr;
  looking.listeners.clear();
  looking.info_log = MakeSilentLog();  // It would warn of each log that is not replayed.
  looking.max_open_files = kTablesOpenMax;
  looking.skip_stats_update_on_db_open = true;
  looking.wal_filter = &numbers;

  std::vector<std::string> present;
  RETURN_IF_ERROR(ToOpenStatus(rocksdb::DB::ListColumnFamilies(looking, directory, &present),
                               "opening the data directory " + directory));
  std::vector<rocksdb::ColumnFamilyDescriptor> opened;
  for (const rocksdb::ColumnFamilyDescriptor& family : families)
    if (std::find(present.begin(), present.end(), family.name) != present.end())
      opened.push_back(family);

  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::OpenForReadOnly(looking, directory, opened, &handles, &db);
  const std::unique_ptr<rocksdb::DB> closer(db);
  const std::uint64_t sequence = db == nullptr ? 0 : db->GetLatestSequenceNumber();
  for (rocksdb::ColumnFamilyHandle* handle : handles)
    db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();  // Frees memory only.
  RETURN_IF_ERROR(ToOpenStatus(status, "opening the data directory " + directory));
  manifest.first_log = numbers.first();
  manifest.sequence = sequence;
  std::vector<rocksdb::LiveFileMetaData> tables;
  db->GetLiveFilesMetaData(&tables);
  for (const rocksdb::LiveFileMetaData& table : tables)
    manifest.tables.push_back(table.relative_filename);
  return manifest;
}

}  // namespace starling::storage
