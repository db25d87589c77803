#include "server/purge/marks.h"

#include <algorithm>
#include <string>

#include "base/bytes.h"
#include "base/check.h"

namespace starling::server::purge {
namespace {

constexpr std::size_t kMarkBytes = 16;

}  // namespace

Mark Marks::Of(base::KeyspaceId keyspace, std::uint16_t bucket) const {
  const auto it = pages_.find(keyspace);
  if (it == pages_.end()) return {};
  const Page* page = it->second[base::SliceOf(bucket)].get();
  return page == nullptr ? Mark{} : page->kinds[page->kind_of[base::LeafOf(bucket)]];
}

Mark Marks::Highest(base::KeyspaceId keyspace) const {
  Mark highest;
  const auto it = pages_.find(keyspace);
  if (it == pages_.end()) return highest;
  for (const auto& page : it->second) {
    if (page == nullptr) continue;
    for (const std::uint8_t kind : page->kind_of) {
      highest.closed = std::max(highest.closed, page->kinds[kind].closed);
      highest.purged = std::max(highest.purged, page->kinds[kind].purged);
    }
  }
  return highest;
}

void Marks::Close(base::KeyspaceId keyspace, std::uint16_t bucket, std::uint64_t closed) {
  Mark mark = Of(keyspace, bucket);
  if (closed <= mark.closed) return;
  mark.closed = closed;
  Set(keyspace, bucket, mark);
}

void Marks::Purge(base::KeyspaceId keyspace, std::uint16_t bucket, std::uint64_t purged) {
  Mark mark = Of(keyspace, bucket);
  if (purged <= mark.purged) return;
  mark.purged = purged;
  mark.closed = std::max(mark.closed, purged);
  Set(keyspace, bucket, mark);
}

void Marks::Set(base::KeyspaceId keyspace, std::uint16_t bucket, const Mark& mark) {
  CHECK(mark.closed >= mark.purged);
  const std::uint8_t slice = base::SliceOf(bucket);
  auto& page = pages_[keyspace][slice];
  if (page == nullptr) page = std::make_unique<Page>();
  page->kind_of[base::LeafOf(bucket)] = KindFor(*page, base::LeafOf(bucket), mark);
  dirty_.emplace(keyspace, slice);
}

// The leaf's kind once it has this mark. REQUIRES: the leaf does not keep the one it had.
std::uint8_t Marks::KindFor(Page& page, std::uint8_t leaf, const Mark& mark) {
  const auto known = std::find(page.kinds.begin(), page.kinds.end(), mark);
  if (known != page.kinds.end()) return static_cast<std::uint8_t>(known - page.kinds.begin());
  if (page.kinds.size() == base::kLeavesPerSlice) DropUnused(page);
  if (page.kinds.size() == base::kLeavesPerSlice) {  // Each leaf has one of its own: so has this.
    page.kinds[page.kind_of[leaf]] = mark;
    return page.kind_of[leaf];
  }
  page.kinds.push_back(mark);
  return static_cast<std::uint8_t>(page.kinds.size() - 1);
}

void Marks::DropUnused(Page& page) {
  std::vector<Mark> kept;
  std::array<std::uint8_t, base::kLeavesPerSlice> kind_of{};
  for (std::size_t leaf = 0; leaf < kind_of.size(); ++leaf) {
    const Mark& mark = page.kinds[page.kind_of[leaf]];
    const auto it = std::find(kept.begin(), kept.end(), mark);
    kind_of[leaf] = static_cast<std::uint8_t>(it - kept.begin());
    if (it == kept.end()) kept.push_back(mark);
  }
  page.kinds = std::move(kept);
  page.kind_of = kind_of;
}

// --- records ---

// kinds u16 | each: closed u64, purged u64 | with more than one kind: 256 bytes, a leaf's kind each
std::string Marks::Encode(const Page& page) {
  std::string out;
  base::AppendLittle(out, static_cast<std::uint16_t>(page.kinds.size()));
  for (const Mark& mark : page.kinds) {
    base::AppendLittle(out, mark.closed);
    base::AppendLittle(out, mark.purged);
  }
  if (page.kinds.size() > 1)
    out.append(reinterpret_cast<const char*>(page.kind_of.data()), page.kind_of.size());
  return out;
}

void Marks::StoreDirty(storage::Batch& batch) {
  for (const auto& [keyspace, slice] : dirty_) {
    Page& page = *pages_.at(keyspace)[slice];
    DropUnused(page);
    std::string key = KeyspacePrefix(keyspace);
    key.push_back(static_cast<char>(slice));
    batch.Put(storage::Family::kMeta, key, Encode(page));
  }
  dirty_.clear();
}

std::string Marks::KeyspacePrefix(base::KeyspaceId keyspace) {
  std::string prefix(kPrefix);
  base::AppendBig(prefix, keyspace);
  return prefix;
}

base::Result<std::pair<base::KeyspaceId, std::uint8_t>> Marks::ParseKey(base::Bytes key) {
  if (key.size() != kPrefix.size() + 5 || !key.starts_with(kPrefix))
    return base::Fail(base::Corruption("a record of purge marks has a malformed key"));
  return std::pair{base::LoadBig<base::KeyspaceId>(key.data() + kPrefix.size()),
                   static_cast<std::uint8_t>(key.back())};
}

base::Status Marks::Load(base::KeyspaceId keyspace, std::uint8_t slice, base::Bytes value) {
  const base::Status bad = base::Corruption("a record of purge marks is malformed");
  if (value.size() < 2) return bad;
  const std::size_t kinds = base::LoadLittle<std::uint16_t>(value.data());
  const std::size_t leaves = kinds > 1 ? base::kLeavesPerSlice : 0;
  if (kinds == 0 || kinds > base::kLeavesPerSlice ||
      value.size() != 2 + kinds * kMarkBytes + leaves)
    return bad;
  auto page = std::make_unique<Page>();
  page->kinds.clear();
  for (std::size_t kind = 0; kind < kinds; ++kind) {
    const char* at = value.data() + 2 + kind * kMarkBytes;
    const Mark mark{base::LoadLittle<std::uint64_t>(at), base::LoadLittle<std::uint64_t>(at + 8)};
    if (mark.closed < mark.purged) return bad;
    page->kinds.push_back(mark);
  }
  for (std::size_t leaf = 0; leaf < leaves; ++leaf) {
    const auto kind = static_cast<std::uint8_t>(value[2 + kinds * kMarkBytes + leaf]);
    if (kind >= kinds) return bad;
    page->kind_of[leaf] = kind;
  }
  pages_[keyspace][slice] = std::move(page);
  return base::Ok();
}

std::size_t Marks::memory_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [keyspace, pages] : pages_) {
    bytes += sizeof(pages);
    for (const auto& page : pages)
      if (page != nullptr) bytes += sizeof(Page) + page->kinds.capacity() * sizeof(Mark);
  }
  return bytes;
}

}  // namespace starling::server::purge
