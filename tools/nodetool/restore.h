// tools/nodetool/restore.h: the snapshots of some nodes back into a running cluster, theirs or
// another, of any size.
//
// Each live key's newest version is put as a new write: it gets a new stamp, and so wins over
// whatever the cluster has of that key, a delete included. What was deleted or had expired when the
// snapshot was made is left out. With dry_run nothing is written, and each key is compared instead.
//
// Thread:    blocks its caller.
// Read next: snapshot_set.h
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "client/client.h"
#include "tools/nodetool/snapshot_set.h"
#include "tools/starling/transfer.h"

namespace starling::nodetool {

struct RestoreOptions {
  std::string keyspace{};  // Only this one; empty: all.
  bool dry_run = false;
  bool partial = false;  // Also of a keyspace of which the snapshots hold only a part.
  bool damaged = false;  // Unverified, and without what can't be read; the set must be open so too.
  std::function<void(const std::string&)> progress{};  // What is under way, now and then.
  std::function<bool()> interrupted{};
};

// Of one keyspace.
struct Restored {
  std::string keyspace{};
  bool created = false;       // It was not there; with dry_run: it would be created.
  std::uint64_t deleted = 0;  // Left out: tombstones,
  std::uint64_t expired = 0;  // and what has expired since.
  cli::ImportReport puts{};   // Not with dry_run.
  // Only with dry_run: what a restore would do to what the cluster has.
  std::uint64_t same = 0;                       // Nothing: it has that value.
  std::uint64_t missing = 0;                    // It would add what the cluster does not know.
  std::uint64_t overwritten = 0;                // It would replace another value.
  std::uint64_t revived = 0;                    // It would bring back what the cluster has deleted.
  std::vector<std::string> overwritten_keys{};  // A few of these,
  std::vector<std::string> revived_keys{};      // and of those.
  SkippedDamage skipped{};                      // Only if damage is skipped.
};

// Verifies all snapshots before it writes anything. Corruption: one is not as it was made, and
// nothing was restored. FailedPrecondition: they hold only a part of a
// keyspace, which is named with what is missing.
base::Result<std::vector<Restored>> Restore(const SnapshotSet& snapshots, client::Client& client,
                                            const RestoreOptions& options);

}  // namespace starling::nodetool
