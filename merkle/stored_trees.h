// merkle/stored_trees.h: the trees that are stored, put together of all that was put of them.
//
// First the pages, then of each stream of the journal the records that are still needed, in their
// order; at last single leaves, as builds before the journal wrote them. Records say absolute
// values, so one that a page has already changes nothing.
//
//   StoredTrees stored;
//   for each record of the family: stored.Take(key, value)
//   stored.Finish()
//
// Thread:    confined.
// Read next: merkle/records.h
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "merkle/records.h"
#include "merkle/tree.h"

namespace starling::merkle {

class StoredTrees {
 public:
  using Trees = std::map<base::KeyspaceId, std::unique_ptr<Tree>>;

  // A record, in any order. Corruption when malformed.
  base::Status Take(base::Bytes key, base::Bytes value);
  // After the last. Corruption when a record of the journal is missing, or malformed: then the
  // trees say nothing.
  base::Status Finish();

  const Trees& trees() const { return trees_; }
  Trees TakeTrees() && { return std::move(trees_); }
  Tree& TreeOf(base::KeyspaceId keyspace);

  // What it takes to have nothing but pages: these are put, and then the keys deleted, those of the
  // journal all at once and before those of leaves.
  const std::set<PagePlace>& changed_pages() const { return changed_; }
  const std::vector<std::string>& journal_keys() const { return journal_keys_; }
  const std::vector<std::string>& leaf_keys() const { return leaf_keys_; }
  bool only_pages() const { return journal_keys_.empty() && leaf_keys_.empty(); }

 private:
  using Records = std::map<std::uint64_t, std::string>;  // Of a stream, by number.

  base::Status ApplyStream(const Records& records);
  void Set(base::KeyspaceId keyspace, std::uint16_t bucket, const Digest& leaf);

  Trees trees_;
  std::map<std::uint16_t, Records> streams_;
  std::vector<std::pair<LeafPlace, Digest>> leaves_;
  std::set<PagePlace> changed_;
  std::vector<std::string> journal_keys_, leaf_keys_;
};

}  // namespace starling::merkle
