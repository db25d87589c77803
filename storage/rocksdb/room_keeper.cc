#include "storage/rocksdb/room_keeper.h"

#include <fmt/core.h>

#include <mutex>
#include <set>
#include <utility>

#include "storage/rocksdb/table_adder.h"

namespace starling::storage {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// The tables that compactions are about to begin. RocksDB says so just before it makes the file;
// nothing about the file itself tells it from a flush's.
class RoomKeeper::Compactions final : public rocksdb::EventListener {
 public:
  void OnTableFileCreationStarted(const rocksdb::TableFileCreationBriefInfo& info) override {
    if (info.reason != rocksdb::TableFileCreationReason::kCompaction) return;
    const std::lock_guard lock(mutex_);
    tables_.insert(info.file_path);
  }

  bool Take(const std::string& path) {
    const std::lock_guard lock(mutex_);
    return tables_.erase(path) > 0;
  }

 private:
  std::mutex mutex_;
  std::set<std::string> tables_;
};

class RoomKeeper::File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(RoomKeeper& keeper, std::string path, bool can_wait,
       std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)),
        keeper_(keeper),
        path_(std::move(path)),
        can_wait_(can_wait) {}

  void SetPreallocationBlockSize(std::size_t size) override {
    if (keeper_.HasRoomFor(size, path_))
      FSWritableFileOwnerWrapper::SetPreallocationBlockSize(size);
  }

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    if (IOStatus refused = Admit(data.size()); !refused.ok()) return refused;
    return FSWritableFileOwnerWrapper::Append(data, options, debug);
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& checksum, IODebugContext* debug) override {
    if (IOStatus refused = Admit(data.size()); !refused.ok()) return refused;
    return FSWritableFileOwnerWrapper::Append(data, options, checksum, debug);
  }

 private:
  IOStatus Admit(std::size_t bytes) {
    if (!can_wait_) return IOStatus::OK();
    if (bytes > admitted_) {
      if (!keeper_.HasRoomFor(bytes + kLookEveryBytes, path_))
        return IOStatus::NoSpace(
            path_, fmt::format("compactions and added tables leave {} bytes of the disk free (of "
                               "storage.reserve)",
                               keeper_.keep_free_bytes_));
      admitted_ = bytes + kLookEveryBytes;
    }
    admitted_ -= bytes;
    return IOStatus::OK();
  }

  RoomKeeper& keeper_;
  const std::string path_;
  const bool can_wait_;
  std::uint64_t admitted_ = 0;  // Bytes to be written before the next look.
};

RoomKeeper::RoomKeeper(const std::shared_ptr<rocksdb::FileSystem>& files,
                       std::uint64_t keep_free_bytes)
    : FileSystemWrapper(files),
      keep_free_bytes_(keep_free_bytes),
      compactions_(std::make_shared<Compactions>()),
      listener_(compactions_) {}

bool RoomKeeper::HasRoomFor(std::uint64_t bytes, const std::string& path) {
  if (keep_free_bytes_ == 0) return true;
  std::uint64_t free = 0;
  if (!target()->GetFreeSpace(path, IOOptions(), &free, nullptr).ok()) return true;
  return free >= keep_free_bytes_ + bytes;
}

IOStatus RoomKeeper::NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                     std::unique_ptr<rocksdb::FSWritableFile>* file,
                                     IODebugContext* debug) {
  const bool can_wait = compactions_->Take(path) || IsToBeAdded(path);
  std::unique_ptr<rocksdb::FSWritableFile> made;
  IOStatus status = FileSystemWrapper::NewWritableFile(path, options, &made, debug);
  if (status.ok()) *file = std::make_unique<File>(*this, path, can_wait, std::move(made));
  return status;
}

}  // namespace starling::storage
