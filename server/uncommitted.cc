#include "server/uncommitted.h"

#include <utility>

#include "base/check.h"
#include "base/place.h"

namespace starling::server {
namespace {

// So that the same token in two keyspaces has two hashes. Any odd number would do.
constexpr std::uint32_t kKeyspaceFactor = 0x9E3779B9;

}  // namespace

const Uncommitted::Record* Uncommitted::Find(base::Bytes stored_key) const {
  if (size_ == 0) return nullptr;
  const Slot& slot = slots_[SlotOf(stored_key, HashOf(stored_key))];
  return slot.record == kNone ? nullptr : &records_[slot.record];
}

void Uncommitted::Note(const Record& record) {
  if (size_ == records_.size()) Grow();
  const std::size_t mask = records_.size() - 1;
  const std::size_t at = (oldest_ + size_) & mask;
  DCHECK(size_ == 0 || record.commit >= records_[(at - 1) & mask].commit);
  const std::uint32_t hash = HashOf(record.stored_key);
  slots_[SlotOf(record.stored_key, hash)] = {hash, static_cast<std::uint32_t>(at)};
  records_[at] = record;
  ++size_;
}

void Uncommitted::NoteAgain(const Record& newest, const storage::EntryHeader& header) {
  records_[static_cast<std::size_t>(&newest - records_.data())].header = header;
}

std::uint32_t Uncommitted::HashOf(base::Bytes stored_key) {
  DCHECK(stored_key.size() >= storage::kKeyPrefixBytes);
  const auto keyspace = base::LoadBig<base::KeyspaceId>(stored_key.data());
  const auto token = base::LoadBig<base::Token>(stored_key.data() + sizeof keyspace);
  // Its low bits: the high ones are the bucket, and alike in what a pull brings.
  return static_cast<std::uint32_t>(token) + keyspace * kKeyspaceFactor;
}

std::size_t Uncommitted::SlotOf(base::Bytes stored_key, std::uint32_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  for (; slots_[at].record != kNone; at = (at + 1) & mask)
    if (slots_[at].hash == hash && records_[slots_[at].record].stored_key == stored_key) break;
  return at;
}

void Uncommitted::DropOldest() {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = HashOf(records_[oldest_].stored_key) & mask;
  while (slots_[at].record != oldest_ && slots_[at].record != kNone) at = (at + 1) & mask;
  if (slots_[at].record == oldest_) Free(at);  // Else a later commit wrote the key again.
  oldest_ = (oldest_ + 1) & (records_.size() - 1);
  --size_;
}

// Those behind it that were pushed on move up, so that no search ends at the hole.
void Uncommitted::Free(std::size_t slot) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t hole = slot;
  for (std::size_t at = (hole + 1) & mask; slots_[at].record != kNone; at = (at + 1) & mask) {
    const std::size_t pushed_by = (at - slots_[at].hash) & mask;
    if (pushed_by < ((at - hole) & mask)) continue;
    slots_[hole] = slots_[at];
    hole = at;
  }
  slots_[hole].record = kNone;
}

void Uncommitted::Grow() {
  const std::size_t places = records_.empty() ? kRecordsMin : records_.size() * 2;
  CHECK(places < kNone);
  std::vector<Record> records(places);
  for (std::size_t i = 0; i < size_; ++i)
    records[i] = records_[(oldest_ + i) & (records_.size() - 1)];
  const std::vector<Slot> slots = std::exchange(slots_, std::vector<Slot>(places * 2));
  const std::size_t mask = slots_.size() - 1;
  for (const Slot& slot : slots) {
    if (slot.record == kNone) continue;
    std::size_t at = slot.hash & mask;
    while (slots_[at].record != kNone) at = (at + 1) & mask;
    const std::size_t age = (slot.record - oldest_) & (records_.size() - 1);
    slots_[at] = {slot.hash, static_cast<std::uint32_t>(age)};
  }
  records_ = std::move(records);
  oldest_ = 0;
}

void Uncommitted::ReleaseMuch() {
  if (records_.size() <= kRecordsKept) return;
  records_ = {};
  slots_ = {};
  oldest_ = 0;
}

}  // namespace starling::server
