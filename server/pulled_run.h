// server/pulled_run.h: entries that a pull brought, gathered until they are worth tables of their
// own.
//
// An entry that is written takes its way through log, memtable, flush and merges. A node that was
// emptied takes millions, about in the order of their keys and into buckets where nothing is: such
// a run becomes tables at once (storage::Engine::AddTables), for a third of the work.
//
// Thread:    one at a time: its worker, then the job that builds the tables.
// Ownership: keeps a copy of all that is added.
// Read next: server/replica_fill.cc, server/repair_pull_fill.cc
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/place.h"
#include "merkle/bucket_set.h"
#include "server/local_write.h"
#include "server/purge/rules.h"
#include "storage/entry.h"

namespace starling::server {

class PulledRun {
 public:
  struct Entry {
    base::Token token = 0;
    std::uint64_t adoption = 0;  // Of server/adoption.h; 0: of none.
    std::size_t at = 0;          // In the bytes: its stored key, and behind it what is stored.
    std::uint32_t key_size = 0;
    std::uint32_t value_size = 0;
    std::uint32_t source = 0;
  };

  explicit PulledRun(base::KeyspaceId keyspace) : keyspace_(keyspace) {}

  // REQUIRES: `write` is of this keyspace, and a repair's.
  void Add(const LocalWrite& write);
  // The same of an entry of another run of the keyspace.
  void Add(const PulledRun& other, const Entry& entry);

  // Keeps the entries of which keeps(entry) is true, and gives the others.
  template <typename Keeps>
  std::unique_ptr<PulledRun> Split(Keeps&& keeps);
  // Of entries whose token is lower.
  std::size_t BytesBefore(base::Token token) const;
  // Into the order of storage; of one key the highest version first.
  void Sort();

  base::KeyspaceId keyspace() const { return keyspace_; }
  const std::vector<Entry>& entries() const { return entries_; }
  const merkle::BucketSet& buckets() const { return buckets_; }
  std::size_t bytes() const { return bytes_.size(); }
  bool empty() const { return entries_.empty(); }

  // Views, valid until something is added.
  base::Bytes StoredKey(const Entry& entry) const {
    return base::Bytes(bytes_).substr(entry.at, entry.key_size);
  }
  base::Bytes Stored(const Entry& entry) const {
    return base::Bytes(bytes_).substr(entry.at + entry.key_size, entry.value_size);
  }
  storage::Entry Decoded(const Entry& entry) const;
  LocalWrite WriteOf(const Entry& entry) const;
  const purge::Source& SourceOf(const Entry& entry) const { return sources_[entry.source]; }

 private:
  void Note(Entry entry, const purge::Source& source);

  const base::KeyspaceId keyspace_;
  std::string bytes_;
  std::vector<Entry> entries_;
  std::vector<purge::Source> sources_;  // Each page has one, and many pages the same.
  merkle::BucketSet buckets_;
};

template <typename Keeps>
std::unique_ptr<PulledRun> PulledRun::Split(Keeps&& keeps) {
  auto others = std::make_unique<PulledRun>(keyspace_);
  buckets_.Clear();
  std::erase_if(entries_, [&](const Entry& entry) {
    if (keeps(entry)) {
      buckets_.Insert(base::BucketOf(entry.token));
      return false;
    }
    others->Add(*this, entry);
    return true;
  });
  return others;
}

// --- a record in Family::kMeta: kFillingPrefix | worker u16 big-endian, of which there is one
// while tables of that worker may be stored that no tree comprises yet. A start that finds one
// makes all trees anew. ---
inline constexpr base::Bytes kFillingPrefix = "tree.filling/";
std::string FillingKey(unsigned worker);

}  // namespace starling::server
