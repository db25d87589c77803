// server/tree_check.h: whether an engine's tree is what its entries add up to.
//
// Walks over a checkpoint, where both are of one moment; in the node itself leaves may be of later
// writes than the entries that a cursor shows. In steps, so that whoever runs it decides how fast.
//
// Thread:    confined.
// Ownership: the engine must outlive it.
// Read next: server/verify_admin.h, merkle/tree.h
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "merkle/stored_trees.h"
#include "merkle/tree.h"
#include "storage/engine.h"
#include "storage/entry.h"

namespace starling::server {

struct TreeCheckOptions {
  static constexpr base::KeyspaceId kAllKeyspaces = 0;  // Ids begin at 1.

  base::KeyspaceId keyspace = kAllKeyspaces;
  std::uint64_t digest_seed = 0;  // The cluster's token seed.
  bool values = false;            // Each value is compared with its digest, too.
};

struct TreeCheckReport {
  static constexpr std::size_t kNamedMax = 16;

  struct Keyspace {
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;                 // Keys and entries, as stored.
    std::uint64_t wrong_buckets = 0;         // Their leaf is not what their entries add up to.
    std::vector<std::uint16_t> first_wrong;  // kNamedMax at most.
  };
  std::map<base::KeyspaceId, Keyspace> keyspaces;
  std::uint64_t damaged_entries = 0;  // No entry, or with another value than its digest's.
  std::uint64_t unread_buckets = 0;   // With a block that cannot be read: not compared.
  std::string first_problem;          // The first of either.

  bool sound() const;
};

class TreeCheck {
 public:
  TreeCheck(storage::Engine& engine, const TreeCheckOptions& options);

  // Reads all leaves. Fails with Corruption or Io: then there is nothing to compare with.
  base::Status Load();
  // Reads on for `bytes` or one entry more; true: that was the last. What is damaged is in the
  // report and fails nothing. REQUIRES: Load() has succeeded.
  bool Step(std::uint64_t bytes);

  const TreeCheckReport& report() const { return report_; }
  std::uint64_t bytes() const { return bytes_; }  // Read so far.
  // Of so many that the leaves count so many entries are read: of damaged ones not all, or more.
  std::uint64_t entries() const { return entries_; }
  std::uint64_t entries_read() const { return entries_read_; }

 private:
  using Trees = merkle::StoredTrees::Trees;

  void Seek(base::Bytes from);
  void Take(base::Bytes key, base::Bytes value);
  bool SkipBucket(const base::Status& why);  // False: there is nothing behind it.
  void Compare();
  void NoteProblem(const std::string& what);
  static merkle::Tree& TreeIn(Trees& trees, base::KeyspaceId keyspace);

  storage::Engine& engine_;
  const TreeCheckOptions options_;
  Trees stored_, summed_;
  std::map<base::KeyspaceId, merkle::BucketSet> unread_;
  std::unique_ptr<storage::Cursor> cursor_;
  std::string at_;  // The last key that was read, or sought.
  std::uint64_t bytes_ = 0;
  std::uint64_t entries_ = 0;
  std::uint64_t entries_read_ = 0;
  TreeCheckReport report_;
};

}  // namespace starling::server
