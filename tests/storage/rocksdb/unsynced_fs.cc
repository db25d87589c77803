#include "tests/storage/rocksdb/unsynced_fs.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "base/check.h"
#include "tests/storage/temp_directory.h"

namespace starling::storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

constexpr std::chrono::milliseconds kBeginMax{100};

std::string FolderOf(const std::string& path) {
  return std::filesystem::path(path).parent_path().lexically_normal().string();
}

// Written-ahead logs only: RocksDB's LOG of messages has no ending.
bool IsLog(const std::string& path) { return path.ends_with(".log"); }
bool IsTable(const std::string& path) { return path.ends_with(".sst"); }

}  // namespace

class UnsyncedFs::File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(UnsyncedFs& fs, std::string path, std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)), fs_(fs), path_(std::move(path)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    if (IOStatus failure = fs_.MayFail(path_); !failure.ok()) return failure;
    IOStatus status = FSWritableFileOwnerWrapper::Append(data, options, debug);
    if (status.ok()) fs_.OnAppend(path_, data.size());
    return status;
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return MarkSynced(); }
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return MarkSynced(); }
  // A hint to write back early; it promises nothing.
  IOStatus RangeSync(std::uint64_t, std::uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }
  bool IsSyncThreadSafe() const override { return true; }

 private:
  IOStatus MarkSynced() {
    if (IOStatus failure = fs_.MayFail(path_); !failure.ok()) return failure;
    fs_.OnSync(path_);
    return IOStatus::OK();
  }

  UnsyncedFs& fs_;
  const std::string path_;
};

class UnsyncedFs::Directory final : public rocksdb::FSDirectory {
 public:
  Directory(UnsyncedFs& fs, std::string path) : fs_(fs), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    if (IOStatus failure = fs_.MayFail(path_); !failure.ok()) return failure;
    fs_.OnDirectorySync(path_);
    return IOStatus::OK();
  }

 private:
  UnsyncedFs& fs_;
  const std::string path_;
};

UnsyncedFs::UnsyncedFs() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}

std::map<std::string, std::string> UnsyncedFs::CutFiles(const std::string& directory,
                                                        base::Random& random) const {
  std::map<std::string, std::string> files;  // In the order of names: logs in that of numbers.
  for (const auto& file : std::filesystem::directory_iterator(directory))
    if (file.is_regular_file())
      files.emplace(file.path().string(), WholeFile(file.path().string()));

  bool logs_end_here = false;
  for (auto at = files.begin(); at != files.end();) {
    const auto tracked = files_.find(at->first);
    if (tracked == files_.end()) {  // Of an earlier life: durable.
      ++at;
      continue;
    }
    const auto& [written, synced, name_synced] = tracked->second;
    const bool is_log = IsLog(at->first);
    const bool is_gone = is_log && logs_end_here;
    const std::uint64_t kept = is_gone ? 0 : random.Below(written - synced + 1);
    // A name that was not synced may be there all the same.
    const bool name_kept = name_synced || (!is_gone && random.Chance(0.5));
    if (is_log && (!name_kept || synced + kept < written)) logs_end_here = true;
    at->second.resize(synced + kept);
    at = name_kept ? std::next(at) : files.erase(at);
  }
  return files;
}

void UnsyncedFs::SaveSurvivors(const std::string& directory, const std::string& to,
                               base::Random& random) {
  const std::lock_guard lock(mutex_);
  std::map<std::string, std::string> files = CutFiles(directory, random);
  for (auto rename = renames_.rbegin(); rename != renames_.rend(); ++rename) {
    if (auto moved = files.extract(rename->to)) {
      moved.key() = rename->from;
      files.insert(std::move(moved));
    }
    if (rename->replaced) files[rename->to] = *rename->replaced;
  }
  for (const auto& [path, bytes] : files)
    std::ofstream(std::filesystem::path(to) / std::filesystem::path(path).filename(),
                  std::ios::binary)
        << bytes;
}

void UnsyncedFs::FailAt(std::uint64_t n, Failing failing, Cause cause) {
  CHECK(n > 0);
  const std::lock_guard lock(mutex_);
  until_failure_ = n;
  failing_ = failing;
  cause_ = cause;
  failed_path_.clear();
}

void UnsyncedFs::StopFailing() {
  const std::lock_guard lock(mutex_);
  until_failure_ = 0;
}

void UnsyncedFs::SetFull(bool full) {
  const std::lock_guard lock(mutex_);
  full_ = full;
  full_until_deleted_.clear();
}

void UnsyncedFs::SetFullUntilDeleted(const std::string& path) {
  const std::lock_guard lock(mutex_);
  full_ = true;
  full_until_deleted_ = path;
}

void UnsyncedFs::SetFreeBytes(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  free_bytes_ = bytes;
}

void UnsyncedFs::ListAfterOthers() {
  const std::lock_guard lock(mutex_);
  lists_last_ = std::this_thread::get_id();
  others_began_ = false;
}

std::string UnsyncedFs::failed_path() const {
  const std::lock_guard lock(mutex_);
  return failed_path_;
}

IOStatus UnsyncedFs::MayFail(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (full_ && IsTable(path)) return IOStatus::NoSpace(path, "injected failure");
  if (until_failure_ == 0) return IOStatus::OK();
  if (until_failure_ > 1) {
    --until_failure_;
    return IOStatus::OK();
  }
  if (failing_ == Failing::kOnce) until_failure_ = 0;
  failed_path_ = path;
  return cause_ == Cause::kFull ? IOStatus::NoSpace(path, "injected failure")
                                : IOStatus::IOError(path, "injected failure");
}

void UnsyncedFs::OnAppend(const std::string& path, std::uint64_t size) {
  const std::lock_guard lock(mutex_);
  files_[path].written += size;
}

void UnsyncedFs::OnSync(const std::string& path) {
  const std::lock_guard lock(mutex_);
  Tracked& file = files_[path];
  file.synced = file.written;
}

void UnsyncedFs::OnDirectorySync(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  const std::string folder = std::filesystem::path(directory).lexically_normal().string();
  for (auto& [path, file] : files_)
    if (FolderOf(path) == folder) file.name_synced = true;
  std::erase_if(renames_, [&](const Rename& rename) { return FolderOf(rename.to) == folder; });
}

IOStatus UnsyncedFs::NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                     std::unique_ptr<rocksdb::FSWritableFile>* file,
                                     IODebugContext* debug) {
  if (IOStatus failure = MayFail(path); !failure.ok()) return failure;
  rocksdb::FileOptions buffered = options;
  buffered.use_mmap_writes = false;  // Every byte must come through Append.
  std::unique_ptr<rocksdb::FSWritableFile> made;
  const std::lock_guard lock(mutex_);
  IOStatus status = target()->NewWritableFile(path, buffered, &made, debug);
  if (!status.ok()) return status;
  files_[path] = Tracked{};
  if (lists_last_ && IsTable(path) && std::this_thread::get_id() != *lists_last_) {
    others_began_ = true;
    began_.notify_all();
  }
  *file = std::make_unique<File>(*this, path, std::move(made));
  return status;
}

IOStatus UnsyncedFs::ReopenWritableFile(const std::string& path,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSWritableFile>* file,
                                        IODebugContext* debug) {
  std::unique_ptr<rocksdb::FSWritableFile> made;
  IOStatus status = target()->ReopenWritableFile(path, options, &made, debug);
  if (!status.ok()) return status;
  {
    const std::lock_guard lock(mutex_);
    const std::uint64_t size = std::filesystem::file_size(path);
    files_.try_emplace(path, Tracked{size, size, true});
  }
  *file = std::make_unique<File>(*this, path, std::move(made));
  return status;
}

IOStatus UnsyncedFs::GetFreeSpace(const std::string& path, const IOOptions& options,
                                  std::uint64_t* free, IODebugContext* debug) {
  {
    const std::lock_guard lock(mutex_);
    if (free_bytes_) {
      *free = *free_bytes_;
      return IOStatus::OK();
    }
  }
  return FileSystemWrapper::GetFreeSpace(path, options, free, debug);
}

IOStatus UnsyncedFs::GetChildren(const std::string& directory, const IOOptions& options,
                                 std::vector<std::string>* names, IODebugContext* debug) {
  {
    std::unique_lock lock(mutex_);
    if (lists_last_ == std::this_thread::get_id())
      began_.wait_for(lock, kBeginMax, [this] { return others_began_; });
  }
  return target()->GetChildren(directory, options, names, debug);
}

IOStatus UnsyncedFs::NewDirectory(const std::string& path, const IOOptions&,
                                  std::unique_ptr<rocksdb::FSDirectory>* directory,
                                  IODebugContext*) {
  *directory = std::make_unique<Directory>(*this, path);
  return IOStatus::OK();
}

IOStatus UnsyncedFs::RenameFile(const std::string& from, const std::string& to,
                                const IOOptions& options, IODebugContext* debug) {
  if (IOStatus failure = MayFail(from); !failure.ok()) return failure;
  const std::lock_guard lock(mutex_);
  Rename rename{from, to, std::nullopt};
  if (std::filesystem::exists(to)) rename.replaced = WholeFile(to);
  IOStatus status = target()->RenameFile(from, to, options, debug);
  if (!status.ok()) return status;
  files_.erase(to);
  if (auto moved = files_.extract(from)) {
    moved.key() = to;
    files_.insert(std::move(moved));
  }
  renames_.push_back(std::move(rename));
  return status;
}

IOStatus UnsyncedFs::LinkFile(const std::string& from, const std::string& to,
                              const IOOptions& options, IODebugContext* debug) {
  if (IOStatus failure = MayFail(to); !failure.ok()) return failure;
  const std::lock_guard lock(mutex_);
  IOStatus status = target()->LinkFile(from, to, options, debug);
  if (!status.ok()) return status;
  const auto tracked = files_.find(from);
  const std::uint64_t size = std::filesystem::file_size(to);
  files_[to] = tracked == files_.end() ? Tracked{size, size, false} : tracked->second;
  files_[to].name_synced = false;
  return status;
}

IOStatus UnsyncedFs::DeleteFile(const std::string& path, const IOOptions& options,
                                IODebugContext* debug) {
  const std::lock_guard lock(mutex_);
  IOStatus status = target()->DeleteFile(path, options, debug);
  if (!status.ok()) return status;
  files_.erase(path);
  if (path == full_until_deleted_) full_ = false;
  // A rename whose target is deleted can't be undone, and need not be.
  std::erase_if(renames_, [&](const Rename& rename) { return rename.to == path; });
  return status;
}

}  // namespace starling::storage
