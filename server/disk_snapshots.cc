#include "server/disk_snapshots.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "server/stored_trees.h"
#include "server/tree_rebuild.h"

namespace starling::server {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kNameMax = 64;
constexpr const char* kUnfinished = ".unfinished";         // No name begins with a dot.
constexpr const char* kUnfinishedTmp = ".unfinished.tmp";  // Where RocksDB makes a checkpoint.

base::Status Failed(std::string_view attempted, const std::string& path, std::string_view why) {
  return base::Io(fmt::format("{} {}: {}", attempted, path, why));
}

// Also of a directory: then the names in it are safe.
base::Status SyncPath(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return Failed("opening", path, std::strerror(errno));
  const int result = ::fsync(file);
  const int error = errno;
  ::close(file);
  return result == 0 ? base::Ok() : Failed("syncing", path, std::strerror(error));
}

base::Status WriteFile(const std::string& path, std::string_view text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  if (file < 0) return Failed("making", path, std::strerror(errno));
  while (!text.empty()) {
    const ssize_t wrote = ::write(file, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      const int error = errno;
      ::close(file);
      return Failed("writing", path, std::strerror(error));
    }
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  ::close(file);
  return SyncPath(path);
}

base::Status Remove(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  return error ? Failed("removing", path, error.message()) : base::Ok();
}

// The leaves of the checkpoint's tree, added up by keyspace.
base::Status SumTrees(storage::Engine& checkpoint, std::vector<SnapshotKeyspace>& keyspaces) {
  ASSIGN_OR_RETURN(const merkle::StoredTrees stored, ReadTrees(checkpoint));
  for (SnapshotKeyspace& keyspace : keyspaces)
    if (const auto tree = stored.trees().find(keyspace.id); tree != stored.trees().end())
      keyspace.digest += tree->second->Sum(merkle::BucketSet::All());
  return base::Ok();
}

base::Status Fill(storage::Engine& engine, const std::string& directory,
                  SnapshotManifest& manifest) {
  {
    ASSIGN_OR_RETURN(const auto checkpoint, engine.Checkpoint(directory));
    RETURN_IF_ERROR(CheckTreesMade(*checkpoint));
    RETURN_IF_ERROR(SumTrees(*checkpoint, manifest.keyspaces));
  }
  RETURN_IF_ERROR(WriteFile(directory + "/" + kManifestFile, ToJson(manifest)));
  return SyncPath(directory);
}

}  // namespace

base::Status DiskSnapshots::CheckName(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  const bool fits = !name.empty() && name.size() <= kNameMax && letter(name.front()) &&
                    std::all_of(name.begin(), name.end(), [&](char c) {
                      return letter(c) || c == '.' || c == '_' || c == '-';
                    });
  if (fits) return base::Ok();
  return base::InvalidArgument(fmt::format(
      "'{}' can't name a snapshot: a name has 1 to {} letters, digits, '.', '_' and '-', "
      "and begins with a letter or digit",
      name.substr(0, kNameMax), kNameMax));
}

base::Status DiskSnapshots::CheckFree(const std::string& name) const {
  RETURN_IF_ERROR(CheckName(name));
  std::error_code error;
  if (!fs::exists(root_ + "/" + name, error)) return base::Ok();
  return base::AlreadyExists(fmt::format(
      "there is a snapshot '{}' already: choose another name, or clear it first", name));
}

base::Result<SnapshotManifest> DiskSnapshots::Take(storage::Engine& engine,
                                                   SnapshotManifest facts) const {
  RETURN_IF_ERROR(CheckFree(facts.name));
  std::error_code error;
  fs::create_directories(root_, error);
  if (error) return base::Fail(Failed("making", root_, error.message()));
  const std::string directory = root_ + "/" + facts.name;
  const std::string unfinished = root_ + "/" + kUnfinished;
  RETURN_IF_ERROR(RemoveUnfinished());
  if (base::Status filled = Fill(engine, unfinished, facts); !filled.ok()) {
    Remove(unfinished).IgnoreError();  // The next one tries again, and this error says more.
    return base::Fail(std::move(filled));
  }
  fs::rename(unfinished, directory, error);
  if (error) return base::Fail(Failed("renaming to", directory, error.message()));
  RETURN_IF_ERROR(SyncPath(root_));
  return facts;
}

base::Result<std::vector<DiskSnapshots::Listed>> DiskSnapshots::List() const {
  std::vector<Listed> all;
  std::error_code error;
  if (!fs::exists(root_, error)) return all;
  for (const auto& entry : fs::directory_iterator(root_, error)) {
    Listed listed{.name = entry.path().filename().string()};
    if (!CheckName(listed.name).ok()) continue;
    auto manifest = ReadManifest(entry.path().string());
    if (manifest)
      listed.manifest = *std::move(manifest);
    else
      listed.problem = manifest.error().message();
    for (const auto& file : fs::recursive_directory_iterator(entry.path(), error)) {
      std::error_code gone;  // Cleared meanwhile.
      const std::uint64_t bytes = file.is_regular_file(gone) ? file.file_size(gone) : 0;
      if (gone) continue;
      listed.bytes += bytes;
      if (file.hard_link_count(gone) == 1) listed.bytes_not_shared += bytes;
    }
    all.push_back(std::move(listed));
  }
  if (error) return base::Fail(Failed("reading", root_, error.message()));
  std::sort(all.begin(), all.end(),
            [](const Listed& a, const Listed& b) { return a.name < b.name; });
  return all;
}

base::Status DiskSnapshots::Clear(const std::string& name) const {
  RETURN_IF_ERROR(CheckName(name));
  const std::string directory = root_ + "/" + name;
  std::error_code error;
  if (!fs::exists(directory, error))
    return base::NotFound(fmt::format("there is no snapshot '{}'", name));
  // Under another name first: half a snapshot must not look like a whole one.
  const std::string unfinished = root_ + "/" + kUnfinished;
  RETURN_IF_ERROR(RemoveUnfinished());
  fs::rename(directory, unfinished, error);
  if (error) return Failed("renaming", directory, error.message());
  return Remove(unfinished);
}

base::Status DiskSnapshots::RemoveUnfinished() const {
  for (const char* name : {kUnfinished, kUnfinishedTmp})
    RETURN_IF_ERROR(Remove(root_ + "/" + name));
  return base::Ok();
}

}  // namespace starling::server
