#include "storage/guard_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace starling::storage {
namespace {

constexpr mode_t kOwnerAndGroup = 0640;

std::string PathIn(const std::string& directory) { return directory + "/guard"; }

base::Status Failed(std::string_view what, const std::string& path) {
  return base::Io(fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)));
}

}  // namespace

base::Result<std::optional<GuardRecord>> ReadGuardFile(const std::string& directory) {
  const std::string path = PathIn(directory);
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (descriptor < 0) return base::Fail(Failed("read", path));
  std::array<char, kGuardBytes + 1> bytes;
  const ssize_t got = ::pread(descriptor, bytes.data(), bytes.size(), 0);
  const base::Status read = got < 0 ? Failed("read", path) : base::Ok();
  ::close(descriptor);
  RETURN_IF_ERROR(read);
  if (got == 0) return std::nullopt;  // Made by a start that ended before its first sync.
  auto record = DecodeGuard({bytes.data(), static_cast<std::size_t>(got)});
  if (!record) return base::Fail(record.error().Annotate(path));
  return *record;
}

base::Result<std::unique_ptr<GuardFile>> GuardFile::Open(const std::string& directory) {
  std::string path = PathIn(directory);
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, kOwnerAndGroup);
  if (descriptor < 0) return base::Fail(Failed("open", path));
  return std::unique_ptr<GuardFile>(new GuardFile(descriptor, std::move(path)));
}

GuardFile::~GuardFile() { ::close(descriptor_); }

base::Status GuardFile::Store(base::Bytes record) {
  const ssize_t wrote = ::pwrite(descriptor_, record.data(), record.size(), 0);
  if (wrote == static_cast<ssize_t>(record.size())) return base::Ok();
  if (wrote >= 0) errno = ENOSPC;
  return Failed("write", path_);
}

}  // namespace starling::storage
