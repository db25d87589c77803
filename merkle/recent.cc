#include "merkle/recent.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"

namespace starling::merkle {
namespace {

constexpr std::size_t kSlotsMin = 64;

}  // namespace

Recent::Recent(Generation start, std::size_t records_max)
    : records_max_(records_max), oldest_(start) {}

// Which table a generation's changes are in: the one of the first cut that can be asked for and is
// not before it.
Generation Recent::TableOf(Generation generation) const {
  if (generation > oldest_) return generation;
  const auto held = held_.lower_bound(generation);
  return held != held_.end() ? std::min(*held, oldest_) : oldest_;
}

void Recent::Note(std::uint16_t bucket, Generation generation, const Digest& delta) {
  // What every cut comprises that can be asked for needs no record.
  const Generation first = held_.empty() ? oldest_ : std::min(*held_.begin(), oldest_);
  if (generation <= first) return;
  if (TableAt(TableOf(generation)).Add(bucket, delta)) ++records_;
  while (records_ > records_max_) {
    const auto next = tables_.upper_bound(oldest_);
    if (next == tables_.end() || std::next(next) == tables_.end()) return;  // The newest stays.
    Forget(next->first);
  }
}

Recent::Table& Recent::TableAt(Generation last) {
  const auto [it, fresh] = tables_.try_emplace(last);
  if (fresh) std::swap(it->second, spare_);
  return it->second;
}

Digest Recent::Later(std::uint16_t bucket, Generation cut) const {
  CHECK(Answers(cut));
  Digest sum;
  for (auto it = tables_.upper_bound(cut); it != tables_.end(); ++it)
    sum += it->second.Find(bucket);
  return sum;
}

void Recent::Forget(Generation cut) {
  if (cut <= oldest_) return;
  oldest_ = cut;
  // Tables that end before a cut that can be asked for become one with those up to it; those that
  // every such cut comprises go.
  const Generation first = held_.empty() ? oldest_ : std::min(*held_.begin(), oldest_);
  for (auto it = tables_.begin(); it != tables_.end() && it->first <= oldest_;) {
    const Generation target = TableOf(it->first);
    if (it->first == target && target > first) {
      ++it;
      continue;
    }
    Table done = std::move(it->second);
    const Generation was = it->first;
    it = tables_.erase(it);
    records_ -= done.size();
    if (was > first) {
      Table& into = TableAt(target);
      done.ForEach([&](std::uint16_t bucket, const Digest& delta) {
        if (into.Add(bucket, delta)) ++records_;
      });
      it = tables_.upper_bound(was);  // `into` may be new, and the next.
    }
    done.Clear();
    spare_ = std::move(done);
  }
  CheckInvariants();
}

bool Recent::Hold(Generation cut) {
  if (!Answers(cut) || (held_.size() >= kHoldsMax && !held_.contains(cut))) return false;
  held_.insert(cut);
  return true;
}

void Recent::Release(Generation cut) {
  if (held_.erase(cut) == 0) return;
  // The same oldest cut again: what was kept for the held one alone goes.
  const Generation oldest = oldest_;
  --oldest_;
  Forget(oldest);
}

std::size_t Recent::memory_bytes() const {
  std::size_t bytes = sizeof *this + spare_.memory_bytes();
  for (const auto& [generation, table] : tables_) bytes += sizeof table + table.memory_bytes();
  return bytes;
}

void Recent::CheckInvariants() const {
  std::size_t records = 0;
  for (const auto& [generation, table] : tables_) {
    DCHECK(TableOf(generation) == generation);
    records += table.size();
  }
  DCHECK(records == records_);
}

// The slot of the bucket, or the free one where it belongs.
std::size_t Recent::Table::Place(std::uint16_t bucket) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = FirstPlace(bucket);
  while (slots_[at].used != 0 && slots_[at].bucket != bucket) at = (at + 1) & mask;
  return at;
}

bool Recent::Table::Add(std::uint16_t bucket, const Digest& delta) {
  if ((size_ + 1) * 4 > slots_.size() * 3) Grow();
  Slot& slot = slots_[Place(bucket)];
  slot.delta += delta;
  if (slot.used != 0) return false;
  slot.bucket = bucket;
  slot.used = 1;
  ++size_;
  return true;
}

void Recent::Table::Clear() {
  std::fill(slots_.begin(), slots_.end(), Slot{});
  size_ = 0;
}

Digest Recent::Table::Find(std::uint16_t bucket) const {
  return slots_.empty() ? Digest{} : slots_[Place(bucket)].delta;
}

void Recent::Table::Grow() {
  std::vector<Slot> before = std::move(slots_);
  slots_.assign(before.empty() ? kSlotsMin : before.size() * 2, Slot{});
  for (const Slot& slot : before)
    if (slot.used != 0) slots_[Place(slot.bucket)] = slot;
}

}  // namespace starling::merkle
