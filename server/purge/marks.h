// server/purge/marks.h: per keyspace and bucket, how far this replica has closed and purged.
//
// `closed`: direct writes stamped up to it are refused, so that what is below holds still and can
// be compared. `purged`: what was deleted or had expired up to it was removed, after all owners had
// proved that they hold the same. Both only rise, and closed >= purged. They are hybrid timestamps
// (base/version.h), stored in the same batch as what they are about.
//
// Thread:    confined. Each worker has those of the slices it owns.
// Ownership: a slice takes 256 bytes and 16 for each pair of marks that occurs in it, from its
//            first mark on.
// Read next: server/purge/rules.h, docs/purge.md
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

namespace starling::server::purge {

struct Mark {
  std::uint64_t closed = 0;
  std::uint64_t purged = 0;

  bool operator==(const Mark&) const = default;
};

class Marks {
 public:
  Mark Of(base::KeyspaceId keyspace, std::uint16_t bucket) const;
  // The highest of a keyspace, each by itself: for operators.
  Mark Highest(base::KeyspaceId keyspace) const;

  // Raises closed, or purged and with it closed; lower values change nothing.
  void Close(base::KeyspaceId keyspace, std::uint16_t bucket, std::uint64_t closed);
  void Purge(base::KeyspaceId keyspace, std::uint16_t bucket, std::uint64_t purged);

  bool empty() const { return pages_.empty(); }  // No mark was ever raised.
  bool dirty() const { return !dirty_.empty(); }
  // Puts a record of each slice that changed since the last call into the batch.
  void StoreDirty(storage::Batch& batch);

  std::size_t memory_bytes() const;

  // --- records in Family::kMeta: kPrefix | keyspace u32 big-endian | slice u8 ---
  static constexpr base::Bytes kPrefix = "purge.marks/";
  static base::Result<std::pair<base::KeyspaceId, std::uint8_t>> ParseKey(base::Bytes key);
  static std::string KeyspacePrefix(base::KeyspaceId keyspace);
  // At start. Fails with Corruption when malformed.
  base::Status Load(base::KeyspaceId keyspace, std::uint8_t slice, base::Bytes value);

 private:
  // Most buckets of a slice have the same marks: those of one replica set are closed together.
  struct Page {
    std::vector<Mark> kinds{Mark{}};
    std::array<std::uint8_t, base::kLeavesPerSlice> kind_of{};
  };
  using Pages = std::array<std::unique_ptr<Page>, base::kSlices>;

  void Set(base::KeyspaceId keyspace, std::uint16_t bucket, const Mark& mark);
  static std::uint8_t KindFor(Page& page, std::uint8_t leaf, const Mark& mark);
  static void DropUnused(Page& page);
  static std::string Encode(const Page& page);

  std::map<base::KeyspaceId, Pages> pages_;
  std::set<std::pair<base::KeyspaceId, std::uint8_t>> dirty_;
};

}  // namespace starling::server::purge
