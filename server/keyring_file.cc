// server/keyring_file.cc: reading secrets with care, and replacing a file as a whole.
#include "server/keyring_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>

#include "base/log.h"

namespace starling::server {
namespace {

constexpr char kFileName[] = "gossip-keyring";
constexpr std::size_t kKeyringBytesMax = 64 << 10;
constexpr mode_t kOwnerOnly = 0600;
constexpr mode_t kOthers = 0007;

base::Status FailedTo(std::string_view what, const std::string& path) {
  return base::Io(fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)));
}

// Closes, whatever happens.
class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

// nullopt: there is no such file.
base::Result<std::optional<std::string>> ReadSecret(const std::string& path) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0 && errno == ENOENT) return std::nullopt;
  struct stat about {};
  if (file.get() < 0 || ::fstat(file.get(), &about) != 0) return base::Fail(FailedTo("read", path));
  if ((about.st_mode & kOthers) != 0)
    return base::Fail(base::FailedPrecondition(
        fmt::format("{} is open to every user (mode {:04o}), and holds keys: chmod 600", path,
                    about.st_mode & 07777U)));
  std::string text(kKeyringBytesMax + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::Fail(FailedTo("read", path));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kKeyringBytesMax)
    return base::Fail(base::InvalidArgument(
        fmt::format("{} has more than {} bytes: it is no file of keys", path, kKeyringBytesMax)));
  text.resize(size);
  return text;
}

base::Status WriteAll(int descriptor, base::Bytes text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(descriptor, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return FailedTo("write", path);
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return base::Ok();
}

base::Status WriteSynced(const std::string& path, base::Bytes text) {
  const File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kOwnerOnly));
  if (file.get() < 0) return FailedTo("write", path);
  // The mode of one left over by a crash may be another.
  if (::fchmod(file.get(), kOwnerOnly) != 0) return FailedTo("protect", path);
  RETURN_IF_ERROR(WriteAll(file.get(), text, path));
  return ::fsync(file.get()) == 0 ? base::Ok() : FailedTo("sync", path);
}

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t begin = std::min(text.find_first_not_of(kBlank), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(kBlank) + 1);
}

base::Result<gossip::KeyBytes> ReadFirstKey(const std::string& path) {
  ASSIGN_OR_RETURN(const std::optional<std::string> text, ReadSecret(path));
  if (!text) return base::Fail(base::NotFound(fmt::format("{} does not exist", path)));
  auto key = gossip::ParseKey(Trimmed(*text));
  if (!key)
    return base::Fail(key.error().Annotate(path).Annotate("`nodetool keyring generate` makes one"));
  return key;
}

}  // namespace

base::Result<NodeKeys> LoadKeys(const Config& config) {
  NodeKeys keys;
  keys.file = (std::filesystem::path(config.node.data_dir) / kFileName).string();
  const std::string& first = config.security.gossip_key_file;
  std::optional<gossip::KeyBytes> key;
  if (!first.empty()) {
    auto read = ReadFirstKey(first);
    if (!read) return base::Fail(read.error().Annotate("security.gossip_key_file"));
    key = *read;
  }
  ASSIGN_OR_RETURN(const std::optional<std::string> text, ReadSecret(keys.file));
  if (text) {
    auto keyring = gossip::Keyring::Parse(*text);
    if (!keyring) return base::Fail(keyring.error().Annotate(keys.file));
    keys.keyring = *std::move(keyring);
    if (key && !keys.keyring.Has(gossip::Fingerprint(*key)))
      base::log::Warn("keyring",
                      "the key of security.gossip_key_file is not used: this node has a keyring, "
                      "without it; `nodetool keyring` shows and changes that");
    return keys;
  }
  if (!key) return keys;
  keys.keyring = gossip::Keyring(*key);
  RETURN_IF_ERROR(SaveKeyring(keys.file, keys.keyring));
  return keys;
}

base::Status SaveKeyring(const std::string& file, const gossip::Keyring& keyring) {
  const std::string beside = file + ".new";
  RETURN_IF_ERROR(WriteSynced(beside, keyring.Print()));
  if (std::rename(beside.c_str(), file.c_str()) != 0) return FailedTo("replace", file);
  const std::string folder = std::filesystem::path(file).parent_path().string();
  const File directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || ::fsync(directory.get()) != 0) return FailedTo("sync", folder);
  return base::Ok();
}

}  // namespace starling::server
