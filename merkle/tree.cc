#include "merkle/tree.h"

#include <fmt/core.h>

namespace starling::merkle {
namespace {

// A turn that changed more buckets, as when a node takes in all that it lacks, is none of many.
constexpr std::size_t kDirtyKept = 4096;

}  // namespace

Tree::Tree(base::KeyspaceId keyspace) : keyspace_(keyspace) {}

void Tree::Add(std::uint16_t bucket, const Digest& entry) {
  PageOf(base::SliceOf(bucket))[base::LeafOf(bucket)] += entry;
  MarkDirty(bucket);
}

void Tree::Remove(std::uint16_t bucket, const Digest& entry) {
  PageOf(base::SliceOf(bucket))[base::LeafOf(bucket)] -= entry;
  MarkDirty(bucket);
}

void Tree::Load(std::uint16_t bucket, const Digest& leaf) {
  PageOf(base::SliceOf(bucket))[base::LeafOf(bucket)] = leaf;
}

Digest Tree::Leaf(std::uint16_t bucket) const {
  const std::unique_ptr<Page>& page = pages_[base::SliceOf(bucket)];
  return page ? (*page)[base::LeafOf(bucket)] : Digest{};
}

Digest Tree::SliceSum(std::uint8_t slice, const BucketSet& buckets) const {
  Digest sum;
  const std::unique_ptr<Page>& page = pages_[slice];
  if (!page) return sum;
  for (std::uint32_t leaf = 0; leaf < base::kLeavesPerSlice; ++leaf)
    if (buckets.Contains(base::BucketAt(slice, static_cast<std::uint8_t>(leaf))))
      sum += (*page)[leaf];
  return sum;
}

Digest Tree::Sum(const BucketSet& buckets) const {
  Digest sum;
  for (std::uint32_t slice = 0; slice < base::kSlices; ++slice)
    sum += SliceSum(static_cast<std::uint8_t>(slice), buckets);
  return sum;
}

Digest Tree::RunSum(std::uint16_t first, std::uint16_t last) const {
  Digest sum;
  for (std::uint32_t slice = 0; slice < base::kSlices; ++slice) {
    const std::unique_ptr<Page>& page = pages_[slice];
    if (!page) continue;
    // Adjacent buckets lie in adjacent slices: of a run a slice has every kSlices-th.
    std::uint32_t bucket = first + (slice - first) % base::kSlices;
    for (; bucket <= last; bucket += base::kSlices)
      sum += (*page)[base::LeafOf(static_cast<std::uint16_t>(bucket))];
  }
  return sum;
}

void Tree::ClearDirty() {
  // Erased one by one: clearing all 8 KiB would cost more than a turn's few leaves.
  for (const std::uint16_t bucket : dirty_) dirty_set_.Erase(bucket);
  dirty_.clear();
  if (dirty_.capacity() > kDirtyKept) dirty_.shrink_to_fit();
}

std::size_t Tree::memory_bytes() const {
  std::size_t bytes = sizeof *this + dirty_.capacity() * sizeof(dirty_[0]);
  for (const auto& page : pages_)
    if (page) bytes += sizeof(Page);
  return bytes;
}

Tree::Page& Tree::PageOf(std::uint8_t slice) {
  std::unique_ptr<Page>& page = pages_[slice];
  if (!page) page = std::make_unique<Page>();
  return *page;
}

void Tree::MarkDirty(std::uint16_t bucket) {
  if (dirty_set_.Contains(bucket)) return;
  dirty_set_.Insert(bucket);
  dirty_.push_back(bucket);
}

std::string LeafKey(base::KeyspaceId keyspace, std::uint16_t bucket) {
  std::string key;
  base::AppendBig(key, keyspace);
  key.push_back(static_cast<char>(base::SliceOf(bucket)));
  key.push_back(static_cast<char>(base::LeafOf(bucket)));
  return key;
}

base::Result<LeafPlace> ParseLeafKey(base::Bytes key) {
  if (key.size() != kLeafKeyBytes)
    return base::Fail(
        base::Corruption(fmt::format("the key {} of a leaf's record has {} bytes, not {}",
                                     base::ToHex(key), key.size(), kLeafKeyBytes)));
  return LeafPlace{
      base::LoadBig<base::KeyspaceId>(key.data()),
      base::BucketAt(static_cast<std::uint8_t>(key[4]), static_cast<std::uint8_t>(key[5]))};
}

std::string EncodeLeaf(const Digest& leaf) {
  std::string value;
  EncodeLeafTo(leaf, value);
  return value;
}

void EncodeLeafTo(const Digest& leaf, std::string& out) {
  const std::size_t at = out.size();
  out.resize(at + Digest::kSize);
  leaf.StoreTo(out.data() + at);
}

base::Result<Digest> DecodeLeaf(base::Bytes value) {
  if (value.size() != Digest::kSize)
    return base::Fail(base::Corruption(
        fmt::format("a leaf's record has {} bytes, not {}", value.size(), Digest::kSize)));
  return Digest::LoadFrom(value.data());
}

}  // namespace starling::merkle
