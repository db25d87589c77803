#include "storage/rocksdb/table_adder.h"

#include <fmt/core.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_writer.h>

#include <charconv>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "base/log.h"
#include "storage/rocksdb/to_status.h"

namespace starling::storage {
namespace {

rocksdb::Slice ToSlice(base::Bytes bytes) { return {bytes.data(), bytes.size()}; }

// Synced once it is finished. As fast as a flush may be: it stands for one, and for the compactions
// that follow.
rocksdb::Status WriteTable(const rocksdb::Options& options, rocksdb::ColumnFamilyHandle* family,
                           const std::string& path, std::span<const SortedEntry> entries) {
  constexpr bool kDropPageCache = false;  // RocksDB reads its index and last block right away.
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(options), options, family, kDropPageCache,
                                rocksdb::Env::IO_HIGH);
  rocksdb::Status status = writer.Open(path);
  for (auto entry = entries.begin(); status.ok() && entry != entries.end(); ++entry)
    status = writer.Put(ToSlice(entry->key), ToSlice(entry->value));
  return status.ok() ? writer.Finish() : status;
}

// Not ToStatus: whoever has no room for tables need not start the node again.
base::Status Failed(const rocksdb::Status& status, std::string_view attempted) {
  const auto code = status.IsCorruption() ? base::Code::kCorruption : base::Code::kIo;
  return {code, fmt::format("{}: {}", attempted, status.ToString())};
}

// Where RocksDB slows down its writers, and further on stops them: what is added behind its back
// must not bring it there.
base::Status CheckLevelZero(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, int files_max,
                            std::string_view attempted) {
  std::string text;
  int files = 0;
  if (!db.GetProperty(family, rocksdb::DB::Properties::kNumFilesAtLevelPrefix + "0", &text) ||
      std::from_chars(text.data(), text.data() + text.size(), files).ec != std::errc())
    return base::Ok();
  if (files < files_max) return base::Ok();
  return base::Overloaded(
      fmt::format("{}: {} tables wait in level 0 to be merged", attempted, files));
}

}  // namespace

// The files of one call. Those that are no part of the database by its end go with it.
class TableAdder::Written {
 public:
  explicit Written(rocksdb::Env& files) : files_(files) {}
  Written(const Written&) = delete;
  Written& operator=(const Written&) = delete;
  ~Written() {
    // One that stays is removed by the next start. RocksDB has removed those that it took.
    for (const std::string& path : paths_) files_.DeleteFile(path).PermitUncheckedError();
  }

  const std::string& Next(std::string path) { return paths_.emplace_back(std::move(path)); }
  const std::vector<std::string>& paths() const { return paths_; }

 private:
  rocksdb::Env& files_;
  std::vector<std::string> paths_;
};

bool IsToBeAdded(const std::string& path) {
  return std::filesystem::path(path).parent_path().filename() == kTablesToAdd;
}

TableAdder::TableAdder(rocksdb::DB& db, const std::string& directory)
    : db_(db), folder_(fmt::format("{}/{}", directory, kTablesToAdd)) {}

base::Status TableAdder::Add(rocksdb::ColumnFamilyHandle* family,
                             std::span<const std::span<const SortedEntry>> tables) {
  if (tables.empty()) return base::Ok();
  const std::string attempted =
      fmt::format("adding {} tables to {} by way of {}", tables.size(), family->GetName(), folder_);
  const rocksdb::Options options = db_.GetOptions(family);
  RETURN_IF_ERROR(CheckLevelZero(db_, family, options.level0_slowdown_writes_trigger, attempted));
  Written written(*options.env);
  // Its name need not survive a power loss: what is in it is of no use then.
  rocksdb::Status status = options.env->CreateDirIfMissing(folder_);
  for (auto table = tables.begin(); status.ok() && table != tables.end(); ++table)
    status = WriteTable(options, family,
                        written.Next(fmt::format("{}/{}.sst", folder_, next_number_++)), *table);
  if (!status.ok()) return Failed(status, attempted);
  rocksdb::IngestExternalFileOptions ingest;
  ingest.move_files = true;
  ingest.write_global_seqno = false;  // What is synced is not written to again; MANIFEST has it.
  status = db_.IngestExternalFile(family, written.paths(), ingest);
  return status.ok() ? base::Ok() : Failed(status, attempted);
}

base::Result<std::size_t> RemoveTablesToAdd(rocksdb::Env& files, const std::string& directory) {
  const std::string folder = fmt::format("{}/{}", directory, kTablesToAdd);
  const std::string attempted = "removing tables that were never added, in " + folder;
  std::vector<std::string> names;
  const rocksdb::Status listed = files.GetChildren(folder, &names);
  if (listed.IsNotFound()) return 0;
  RETURN_IF_ERROR(ToStatus(listed, attempted));
  for (const std::string& name : names)
    RETURN_IF_ERROR(ToStatus(files.DeleteFile(fmt::format("{}/{}", folder, name)), attempted));
  if (!names.empty())
    base::log::Info("storage", "removed {} tables that were never added, in {}", names.size(),
                    folder);
  return names.size();
}

}  // namespace starling::storage
