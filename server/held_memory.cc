#include "server/held_memory.h"

#include <algorithm>

#include "base/check.h"
#include "base/mutants.h"
#include "base/random.h"

namespace starling::server {

HeldMemory::HeldMemory(std::size_t records_max) : records_max_(records_max) {
  CHECK(records_max > 0);
}

std::uint64_t HeldMemory::KeyOf(base::KeyspaceId keyspace, base::Token token) {
  return token ^ base::Mix64(keyspace);
}

void HeldMemory::Note(base::KeyspaceId keyspace, base::Token token, const base::Version& replaced,
                      const base::Version& held) {
  const std::uint64_t key = KeyOf(keyspace, token);
  const auto [it, begun] = records_.try_emplace(key);
  Record& record = it->second;
  if (begun) {
    record.base = replaced;
    if (ring_.size() < records_max_) {
      ring_.push_back(key);
    } else {
      records_.erase(ring_[oldest_]);  // Never `key` itself: that one had no record until now.
      ring_[oldest_] = key;
      oldest_ = (oldest_ + 1) % records_max_;
    }
  }
  Add(record, held);
}

void HeldMemory::NotePulled(base::KeyspaceId keyspace, base::Token token,
                            const base::Version& held) {
  if (const auto it = records_.find(KeyOf(keyspace, token)); it != records_.end())
    Add(it->second, held);
}

void HeldMemory::Add(Record& record, const base::Version& held) {
  if (record.held.size() == kVersionsMax) {
    const auto lowest = std::min_element(record.held.begin(), record.held.end());
    record.base = std::max(record.base, *lowest);
    record.held.erase(lowest);
  }
  record.held.push_back(held);
}

HeldMemory::Answer HeldMemory::Ask(base::KeyspaceId keyspace, base::Token token,
                                   const base::Version& version) const {
  const auto it = records_.find(KeyOf(keyspace, token));
  if (it == records_.end())
    return base::Mutant("never-held-after-restart") ? Answer::kNeverHeld : Answer::kUnknown;
  const Record& record = it->second;
  if (version == record.base) return Answer::kHeld;
  if (std::find(record.held.begin(), record.held.end(), version) != record.held.end())
    return Answer::kHeld;
  if (base::Mutant("never-held-after-restart")) return Answer::kNeverHeld;
  return version > record.base && version.timestamp > floor_ ? Answer::kNeverHeld
                                                             : Answer::kUnknown;
}

}  // namespace starling::server
