#include "storage/rocksdb/link_keeper.h"

#include <algorithm>
#include <atomic>

#include "storage/rocksdb/table_adder.h"

namespace starling::storage {

// Whether what it says is known. Not again once it failed: the process will end soon.
class LinkKeeper::Manifest final : public rocksdb::EventListener {
 public:
  bool in_doubt() const { return in_doubt_; }

  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status*) override {
    if (reason == rocksdb::BackgroundErrorReason::kManifestWrite ||
        reason == rocksdb::BackgroundErrorReason::kManifestWriteNoWAL)
      in_doubt_ = true;
  }

 private:
  std::atomic<bool> in_doubt_ = false;
};

LinkKeeper::LinkKeeper(const std::shared_ptr<rocksdb::FileSystem>& files)
    : FileSystemWrapper(files), manifest_(std::make_shared<Manifest>()) {}

std::shared_ptr<rocksdb::EventListener> LinkKeeper::listener() const { return manifest_; }

rocksdb::IOStatus LinkKeeper::LinkFile(const std::string& from, const std::string& to,
                                       const rocksdb::IOOptions& options,
                                       rocksdb::IODebugContext* debug) {
  rocksdb::IOStatus status = FileSystemWrapper::LinkFile(from, to, options, debug);
  if (!status.ok() || !IsToBeAdded(from)) return status;
  const std::lock_guard lock(mutex_);
  links_[from] = to;
  return status;
}

bool LinkKeeper::IsInDoubt(const std::string& path) {
  if (!manifest_->in_doubt()) return false;
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(links_, [&](const auto& link) { return link.second == path; });
}

rocksdb::IOStatus LinkKeeper::DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                                         rocksdb::IODebugContext* debug) {
  if (IsInDoubt(path)) return rocksdb::IOStatus::OK();
  rocksdb::IOStatus status = FileSystemWrapper::DeleteFile(path, options, debug);
  const std::lock_guard lock(mutex_);
  links_.erase(path);
  return status;
}

}  // namespace starling::storage
