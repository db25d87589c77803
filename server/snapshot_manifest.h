// server/snapshot_manifest.h: what a snapshot on disk holds, in words: the file manifest.json in
// it.
//
//   {"format":1, "name", "created_ms", "cluster", "cluster_id", "token_seed", "epoch",
//    "node": {"host_id", "number", "address", "dc", "rack", "tokens":[…]},
//    "keyspaces": [{"id", "name", "replication", "entries", "digest", "ranges":["0000-0fff",…]}],
//    "checksum": of the text before it}
//
// Whoever restores it can tell by the digest of each keyspace that every entry is there as it was,
// and by the ranges which part of the keyspace that is.
//
// Thread:    values and free functions.
// Read next: disk_snapshots.h, tools/nodetool/restore.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/host_id.h"
#include "base/place.h"
#include "base/status.h"
#include "merkle/digest.h"
#include "server/topology/topology.h"

namespace starling::server {

// Both ends included.
struct BucketRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  bool operator==(const BucketRange&) const = default;
};

struct SnapshotKeyspace {
  base::KeyspaceId id = 0;
  std::string name{};
  std::string replication{};          // As topology::Replication has it.
  std::vector<BucketRange> ranges{};  // That the node holds a replica of, in order.
  merkle::Digest digest{};            // Of all entries, the deleted and expired included.
};

struct SnapshotManifest {
  std::string name{};
  std::int64_t created_ms = 0;  // Wall time.
  std::string cluster_name{};
  base::HostId cluster_id{};
  std::uint64_t token_seed = 0;  // Of tokens and digests.
  std::uint64_t epoch = 0;
  topology::Node node{};
  std::vector<SnapshotKeyspace> keyspaces{};
};

inline constexpr const char* kManifestFile = "manifest.json";

// kSkip goes on with what can be read.
enum class Damaged : std::uint8_t { kRefuse, kSkip };

std::string ToJson(const SnapshotManifest& manifest);
// Corruption: no JSON, a field is missing or malformed, named, or any byte is not as it was written
// (unless kSkip). FailedPrecondition: of a newer format.
base::Result<SnapshotManifest> ParseManifest(std::string_view text,
                                             Damaged damaged = Damaged::kRefuse);
// Of the snapshot in `directory`; NotFound when it has none.
base::Result<SnapshotManifest> ReadManifest(const std::string& directory,
                                            Damaged damaged = Damaged::kRefuse);

}  // namespace starling::server
