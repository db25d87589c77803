// storage/identity.h: whose data directory this is: the records of Family::kMeta.
//
//   "format"       u32 little-endian        the version of everything in the directory
//   "identity"     host id, cluster id (16 bytes each: high, low, little-endian) | cluster name
//   "boot"         u64 little-endian        how often a node started on it
//   "clock_bound"  u64 little-endian        no version stamped so far has a higher timestamp
//
// The topology's records belong to server/topology.
//
// Thread:    free functions; the engine's rules apply.
// Read next: storage/engine.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/host_id.h"
#include "base/status.h"
#include "storage/batch.h"
#include "storage/engine.h"

namespace starling::storage {

// Raised when an older program could not read what a newer one wrote.
// 2: trees are pages and a journal; before, they were leaves.
inline constexpr std::uint32_t kDirectoryFormat = 2;

struct Identity {
  base::HostId host{};
  std::string cluster_name{};
  base::HostId cluster_id{};  // Empty until the node founded or joined a cluster.

  bool operator==(const Identity&) const = default;
};

// nullopt: an empty directory. Fails with FailedPrecondition, naming both formats, when a newer
// program wrote it; with Corruption when the records are malformed or half of them is missing.
base::Result<std::optional<Identity>> LoadIdentity(Engine& engine);
// That this program wrote it: earlier ones may not be able to read it from now on.
void SaveFormat(Batch& batch);
// Also writes the format. REQUIRES: identity.host is not empty.
void SaveIdentity(Batch& batch, const Identity& identity);

// The number of the last start; 0: there was none. Each start counts on and syncs that before its
// first packet: it is the high part of the SWIM incarnation, and none may be repeated.
base::Result<std::uint64_t> LastBoot(Engine& engine);
void SaveBoot(Batch& batch, std::uint64_t boot);

// The bound that the hybrid clock reserved ahead (G8); 0 when there is none.
base::Result<std::uint64_t> LoadClockBound(Engine& engine);
void SaveClockBound(Batch& batch, std::uint64_t timestamp);

}  // namespace starling::storage
