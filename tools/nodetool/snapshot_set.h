// tools/nodetool/snapshot_set.h: the snapshots of several nodes read as one: each key once, in its
// newest version.
//
//   ASSIGN_OR_RETURN(auto set, SnapshotSet::Open(directories));
//   RETURN_IF_ERROR(set->Verify(progress));
//   for (auto entries = set->Walk("default"); entries->Valid(); entries->Next()) …
//
// Thread:    one.
// Read next: server/snapshot_manifest.h
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "server/snapshot_manifest.h"
#include "storage/engine.h"
#include "storage/entry.h"

namespace starling::nodetool {

// Of a walk that skips damage.
struct SkippedDamage {
  std::uint64_t entries = 0;  // That were there, and are not what they were.
  std::uint64_t gaps = 0;     // Places where some entries, nobody knows how many, can't be read.
  std::string first{};        // In words; empty: nothing was skipped.
};

class SnapshotSet {
 public:
  // Fails when one of them is no snapshot, or when they are not of one cluster, naming both.
  // kSkip: manifests need not be as they were written, and a walk leaves out what can't be read.
  static base::Result<std::unique_ptr<SnapshotSet>> Open(
      const std::vector<std::string>& directories,
      server::Damaged damaged = server::Damaged::kRefuse);

  // Reads every entry of every snapshot: that its value is the one its digest was made of, and that
  // all of a keyspace add up to what the manifest says. Corruption names the snapshot and what
  // differs. `progress` is told now and then how many entries were read.
  base::Status Verify(const std::function<void(std::uint64_t)>& progress) const;

  // Of all manifests, by name; replication and id as the newest epoch has them.
  std::vector<server::SnapshotKeyspace> keyspaces() const;
  // The parts of a keyspace that none of the snapshots holds, in order.
  std::vector<server::BucketRange> Missing(const std::string& keyspace) const;

  // A walk over one keyspace in the order of token and key. What can't be read ends it, unless
  // damage is to be skipped.
  class Entries {
   public:
    bool Valid() const { return winner_ != nullptr; }
    void Next();
    base::Bytes key() const;                                // As the application knows it.
    const storage::Entry& entry() const { return entry_; }  // The newest of the snapshots'.
    // Why it ended early, if it did.
    const base::Status& status() const { return status_; }
    // What was left out so far, and of what the first of it died.
    const SkippedDamage& skipped() const { return skipped_; }

   private:
    friend class SnapshotSet;
    // One snapshot's part of the keyspace.
    struct Source {
      std::unique_ptr<storage::Cursor> cursor;
      base::KeyspaceId keyspace = 0;
      std::string directory{};
      std::uint32_t bucket = 0;  // The first that is not read whole.
    };
    void Choose();
    void Advance(Source& source);
    void LeapOver(Source& source);
    bool Read(Source& source);
    void Note(const Source& source, const base::Status& damage, std::uint64_t& count);

    server::Damaged damaged_ = server::Damaged::kRefuse;
    std::vector<Source> sources_;
    storage::Cursor* winner_ = nullptr;
    SkippedDamage skipped_{};
    storage::Entry entry_{};
    base::Status status_;
  };
  std::unique_ptr<Entries> Walk(const std::string& keyspace) const;

 private:
  struct Part {
    std::string directory;
    server::SnapshotManifest manifest;
    std::unique_ptr<storage::Engine> engine;
  };

  server::Damaged damaged_ = server::Damaged::kRefuse;
  std::vector<Part> parts_;
};

}  // namespace starling::nodetool
