// server/purge/dead.h: how many tombstones and entries with an expiry each bucket holds.
//
// What a purge round asks first: is there anything to remove, and from when on? Counted as entries
// come and go, and stored in the same batch; nothing is scanned for it. `due` is a lower bound of
// the moment from which something in the bucket may go: it falls as entries come, and is found anew
// by a pass, which has looked at all of them.
//
// Thread:    confined. Each worker has those of the slices it owns.
// Ownership: 16 bytes a bucket, a slice at a time, while the slice has something dead.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/place.h"
#include "base/status.h"
#include "storage/batch.h"
#include "storage/entry.h"

namespace starling::server::purge {

class DeadCounts {
 public:
  static constexpr std::uint32_t kNever = UINT32_MAX;

  struct Totals {
    std::uint64_t tombstones = 0;
    std::uint64_t tombstone_bytes = 0;  // Keys and headers, as stored.
    std::uint64_t expiring = 0;         // Entries with an expiry, over or not.
    std::uint32_t due_s = kNever;       // From when on something may go: a lower bound.

    Totals& operator+=(const Totals& other);
  };

  // An entry has come, or gone: `stored_key_bytes` as in storage. Others than those that can be
  // purged one day are passed over.
  void Add(base::KeyspaceId keyspace, std::uint16_t bucket, const storage::EntryHeader& header,
           std::size_t stored_key_bytes);
  void Remove(base::KeyspaceId keyspace, std::uint16_t bucket, const storage::EntryHeader& header,
              std::size_t stored_key_bytes);

  // Up to `most` buckets in which something may be gone at the horizon (a timestamp), beginning
  // behind the last one that an earlier call gave.
  std::vector<std::uint16_t> Due(base::KeyspaceId keyspace, std::uint64_t horizon,
                                 std::size_t most);

  // A pass looks at all that was added before it began: what it found due, and what was added
  // meanwhile, is due afterwards.
  void BeginPass(base::KeyspaceId keyspace, std::uint16_t bucket);
  void EndPass(base::KeyspaceId keyspace, std::uint16_t bucket, std::uint32_t due_s);
  void AbandonPass(base::KeyspaceId keyspace, std::uint16_t bucket);

  // From which second on a horizon lets this entry go; kNever if none does.
  static std::uint32_t DueOf(const storage::EntryHeader& header);

  Totals TotalsOf(base::KeyspaceId keyspace) const;
  // Calls visit(bucket) for each bucket that holds any.
  template <typename Visit>
  void ForEach(base::KeyspaceId keyspace, Visit&& visit) const {
    const auto it = pages_.find(keyspace);
    if (it == pages_.end()) return;
    for (std::uint32_t slice = 0; slice < base::kSlices; ++slice)
      for (std::uint32_t leaf = 0; it->second[slice] != nullptr && leaf < base::kLeavesPerSlice;
           ++leaf)
        if (!it->second[slice]->cells[leaf].empty())
          visit(base::BucketAt(static_cast<std::uint8_t>(slice), static_cast<std::uint8_t>(leaf)));
  }

  bool dirty() const { return !dirty_.empty(); }
  void StoreDirty(storage::Batch& batch);

  // --- records in Family::kMeta: kPrefix | keyspace u32 big-endian | slice u8 | leaf u8 ---
  static constexpr base::Bytes kPrefix = "purge.dead/";
  static base::Result<std::pair<base::KeyspaceId, std::uint16_t>> ParseKey(base::Bytes key);
  base::Status Load(base::KeyspaceId keyspace, std::uint16_t bucket, base::Bytes value);

 private:
  struct Cell {
    std::uint32_t tombstones = 0;
    std::uint32_t tombstone_bytes = 0;
    std::uint32_t expiring = 0;
    std::uint32_t due_s = kNever;

    bool empty() const { return tombstones == 0 && expiring == 0; }
  };
  struct Page {
    std::array<Cell, base::kLeavesPerSlice> cells{};
    std::uint32_t used = 0;  // Cells that are not empty.
  };
  using Pages = std::array<std::unique_ptr<Page>, base::kSlices>;
  using Place = std::pair<base::KeyspaceId, std::uint16_t>;

  const Cell* Find(base::KeyspaceId keyspace, std::uint16_t bucket) const;
  template <typename Change>
  void Alter(base::KeyspaceId keyspace, std::uint16_t bucket, Change&& change);

  std::map<base::KeyspaceId, Pages> pages_;
  std::set<Place> dirty_;
  std::map<Place, std::uint32_t> passes_;             // What was added since each began is due.
  std::map<base::KeyspaceId, std::uint32_t> resume_;  // Due goes on at this bucket.
};

}  // namespace starling::server::purge
