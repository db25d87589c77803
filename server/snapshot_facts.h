// server/snapshot_facts.h: what a node's topology says of a snapshot that it makes now.
//
// Thread:    a free function.
// Read next: disk_snapshots.h, which adds the digests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "server/snapshot.h"
#include "server/snapshot_manifest.h"

namespace starling::server {

// Of the keyspaces named, or of all if none is. InvalidArgument: one is not there.
// FailedPrecondition: the node has not caught up with its ranges, so it can't vouch for them.
base::Result<SnapshotManifest> SnapshotFacts(const Snapshot& look, const std::string& name,
                                             const std::vector<std::string>& keyspaces,
                                             std::int64_t wall_ms);

}  // namespace starling::server
