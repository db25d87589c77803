#include "server/purge/dead.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"

namespace starling::server::purge {
namespace {

constexpr std::size_t kRecordBytes = 16;

std::uint32_t Less(std::uint32_t from, std::size_t what) {
  return from - static_cast<std::uint32_t>(std::min<std::size_t>(from, what));
}

bool Expires(const storage::EntryHeader& header) {
  return !header.tombstone() && (header.flags & storage::kFlagHasExpiry) != 0;
}

}  // namespace

DeadCounts::Totals& DeadCounts::Totals::operator+=(const Totals& other) {
  tombstones += other.tombstones;
  tombstone_bytes += other.tombstone_bytes;
  expiring += other.expiring;
  due_s = std::min(due_s, other.due_s);
  return *this;
}

std::uint32_t DeadCounts::DueOf(const storage::EntryHeader& header) {
  std::uint64_t ms = header.version.timestamp >> 16;
  if (Expires(header))
    ms = std::max(ms, header.expiry_ms);
  else if (!header.tombstone())
    return kNever;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(ms / 1000, kNever - 1));
}

const DeadCounts::Cell* DeadCounts::Find(base::KeyspaceId keyspace, std::uint16_t bucket) const {
  const auto it = pages_.find(keyspace);
  if (it == pages_.end()) return nullptr;
  const Page* page = it->second[base::SliceOf(bucket)].get();
  return page == nullptr ? nullptr : &page->cells[base::LeafOf(bucket)];
}

template <typename Change>
void DeadCounts::Alter(base::KeyspaceId keyspace, std::uint16_t bucket, Change&& change) {
  auto& page = pages_[keyspace][base::SliceOf(bucket)];
  if (page == nullptr) page = std::make_unique<Page>();
  Cell& cell = page->cells[base::LeafOf(bucket)];
  const bool was_empty = cell.empty();
  change(cell);
  if (cell.empty()) cell = {};
  if (was_empty && !cell.empty()) ++page->used;
  if (!was_empty && cell.empty()) --page->used;
  dirty_.emplace(keyspace, bucket);
  if (page->used == 0) page.reset();
}

void DeadCounts::Add(base::KeyspaceId keyspace, std::uint16_t bucket,
                     const storage::EntryHeader& header, std::size_t stored_key_bytes) {
  const std::uint32_t due_s = DueOf(header);
  if (due_s == kNever) return;
  Alter(keyspace, bucket, [&](Cell& cell) {
    if (header.tombstone()) {
      ++cell.tombstones;
      cell.tombstone_bytes +=
          static_cast<std::uint32_t>(stored_key_bytes + storage::kEntryHeaderBytes);
    } else {
      ++cell.expiring;
    }
    cell.due_s = std::min(cell.due_s, due_s);
  });
  if (passes_.empty()) return;
  if (const auto pass = passes_.find({keyspace, bucket}); pass != passes_.end())
    pass->second = std::min(pass->second, due_s);
}

// Entries of a data directory that an earlier version filled were never counted: no count goes
// below zero for them.
void DeadCounts::Remove(base::KeyspaceId keyspace, std::uint16_t bucket,
                        const storage::EntryHeader& header, std::size_t stored_key_bytes) {
  if (DueOf(header) == kNever || Find(keyspace, bucket) == nullptr) return;
  Alter(keyspace, bucket, [&](Cell& cell) {
    if (header.tombstone()) {
      cell.tombstones = Less(cell.tombstones, 1);
      cell.tombstone_bytes =
          cell.tombstones == 0
              ? 0
              : Less(cell.tombstone_bytes, stored_key_bytes + storage::kEntryHeaderBytes);
    } else {
      cell.expiring = Less(cell.expiring, 1);
    }
  });
}

std::vector<std::uint16_t> DeadCounts::Due(base::KeyspaceId keyspace, std::uint64_t horizon,
                                           std::size_t most) {
  std::vector<std::uint16_t> due;
  const auto it = pages_.find(keyspace);
  if (it == pages_.end()) return due;
  const std::uint64_t horizon_s = (horizon >> 16) / 1000;
  std::uint32_t& at = resume_[keyspace];
  for (std::uint32_t seen = 0; seen < base::kBuckets && due.size() < most; ++seen) {
    // In the order of slices, so that pages that are not there are passed over quickly.
    const auto slice = static_cast<std::uint8_t>(at / base::kLeavesPerSlice);
    const Page* page = it->second[slice].get();
    if (page == nullptr) {
      const std::uint32_t rest = base::kLeavesPerSlice - at % base::kLeavesPerSlice;
      seen += rest - 1;
      at = (at + rest) % base::kBuckets;
      continue;
    }
    const auto leaf = static_cast<std::uint8_t>(at % base::kLeavesPerSlice);
    if (page->cells[leaf].due_s <= horizon_s) due.push_back(base::BucketAt(slice, leaf));
    at = (at + 1) % base::kBuckets;
  }
  return due;
}

void DeadCounts::BeginPass(base::KeyspaceId keyspace, std::uint16_t bucket) {
  passes_[{keyspace, bucket}] = kNever;
}

void DeadCounts::EndPass(base::KeyspaceId keyspace, std::uint16_t bucket, std::uint32_t due_s) {
  const auto pass = passes_.find({keyspace, bucket});
  CHECK(pass != passes_.end());
  const std::uint32_t due = std::min(due_s, pass->second);
  passes_.erase(pass);
  if (const Cell* cell = Find(keyspace, bucket); cell == nullptr || cell->empty()) return;
  Alter(keyspace, bucket, [&](Cell& cell) { cell.due_s = due; });
}

void DeadCounts::AbandonPass(base::KeyspaceId keyspace, std::uint16_t bucket) {
  passes_.erase({keyspace, bucket});
}

DeadCounts::Totals DeadCounts::TotalsOf(base::KeyspaceId keyspace) const {
  Totals totals;
  const auto it = pages_.find(keyspace);
  if (it == pages_.end()) return totals;
  for (const auto& page : it->second) {
    if (page == nullptr) continue;
    for (const Cell& cell : page->cells) {
      totals.tombstones += cell.tombstones;
      totals.tombstone_bytes += cell.tombstone_bytes;
      totals.expiring += cell.expiring;
      if (!cell.empty()) totals.due_s = std::min(totals.due_s, cell.due_s);
    }
  }
  return totals;
}

// --- records: tombstones u32 | their bytes u32 | expiring u32 | due u32 ---

void DeadCounts::StoreDirty(storage::Batch& batch) {
  for (const auto& [keyspace, bucket] : dirty_) {
    std::string key(kPrefix);
    base::AppendBig(key, keyspace);
    key.push_back(static_cast<char>(base::SliceOf(bucket)));
    key.push_back(static_cast<char>(base::LeafOf(bucket)));
    const Cell* cell = Find(keyspace, bucket);
    if (cell == nullptr || cell->empty()) {
      batch.Delete(storage::Family::kMeta, key);
      continue;
    }
    std::string value;
    base::AppendLittle(value, cell->tombstones);
    base::AppendLittle(value, cell->tombstone_bytes);
    base::AppendLittle(value, cell->expiring);
    base::AppendLittle(value, cell->due_s);
    batch.Put(storage::Family::kMeta, key, value);
  }
  dirty_.clear();
}

base::Result<std::pair<base::KeyspaceId, std::uint16_t>> DeadCounts::ParseKey(base::Bytes key) {
  if (key.size() != kPrefix.size() + 6 || !key.starts_with(kPrefix))
    return base::Fail(base::Corruption("a count of what is dead has a malformed key"));
  const char* at = key.data() + kPrefix.size();
  return std::pair{
      base::LoadBig<base::KeyspaceId>(at),
      base::BucketAt(static_cast<std::uint8_t>(at[4]), static_cast<std::uint8_t>(at[5]))};
}

base::Status DeadCounts::Load(base::KeyspaceId keyspace, std::uint16_t bucket, base::Bytes value) {
  if (value.size() != kRecordBytes) return base::Corruption("a count of what is dead is malformed");
  const auto field = [&](std::size_t at) {
    return base::LoadLittle<std::uint32_t>(value.data() + at);
  };
  Alter(keyspace, bucket, [&](Cell& cell) { cell = {field(0), field(4), field(8), field(12)}; });
  dirty_.erase({keyspace, bucket});
  return base::Ok();
}

}  // namespace starling::server::purge
