// server/disk_snapshots.h: a node's snapshots: checkpoints of its engine, each with a manifest, in
// DATA_DIR/snapshots/NAME.
//
// A snapshot shares its files with the node by hard links: it takes no room at first, and then what
// the node itself has replaced since. It is there whole or not at all: it is made under another
// name, synced, and renamed.
//
// Thread:    one call at a time, on the maintenance lane; each may take as long as the disk does.
// Read next: snapshot_manifest.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "server/snapshot_manifest.h"
#include "storage/engine.h"

namespace starling::server {

class DiskSnapshots {
 public:
  explicit DiskSnapshots(const std::string& data_dir) : root_(data_dir + "/snapshots") {}

  // `facts` is all but the digests, which are summed up from the checkpoint's own tree. The node's
  // data up to the call are in it. AlreadyExists: the name is taken; InvalidArgument: it is none.
  base::Result<SnapshotManifest> Take(storage::Engine& engine, SnapshotManifest facts) const;

  struct Listed {
    std::string name{};
    SnapshotManifest manifest{};         // Empty where `problem` is not.
    std::uint64_t bytes = 0;             // Of all its files,
    std::uint64_t bytes_not_shared = 0;  // and of those that nothing but it holds any more.
    std::string problem{};               // Why its manifest can't be read.
  };
  base::Result<std::vector<Listed>> List() const;  // By name.

  // AlreadyExists or InvalidArgument, as Take would say.
  base::Status CheckFree(const std::string& name) const;

  // NotFound: there is none of that name.
  base::Status Clear(const std::string& name) const;

  // What a process that died over a snapshot left: it is in no list, and its links keep tables that
  // nothing else needs. Not while one is taken.
  base::Status RemoveUnfinished() const;

  const std::string& root() const { return root_; }

  // 1 to 64 letters, digits, '.', '_' and '-', the first none of these signs.
  static base::Status CheckName(std::string_view name);

 private:
  const std::string root_;
};

}  // namespace starling::server
