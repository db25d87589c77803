// server/held_memory.h: which versions this replica lately held, so that it can say `never held`.
//
// A superseded write may be stamped again only if enough replicas say that they never held it
// (design section 9). "Never held" needs a memory that is unbroken: each key written since the
// start has a record that begins with the version current at that moment, its base, and lists the
// versions held since. A version above the base that is not in the list was never held. After a
// restart, or once a record was evicted, the answer is `unknown`.
//
// Thread:    confined to the worker that owns the keys.
// Read next: server/replica.h
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/place.h"
#include "base/version.h"

namespace starling::server {

class HeldMemory {
 public:
  // `records_max`: how many keys are remembered. Raising it costs about 100 bytes each; lowering it
  // makes more skewed writes end as timeouts instead of being stamped again.
  explicit HeldMemory(std::size_t records_max);

  // `replaced` (empty: the key was absent) gives way to `held`, however it came.
  void Note(base::KeyspaceId keyspace, base::Token token, const base::Version& replaced,
            const base::Version& held);

  // The same for what repair brought. A key that is not remembered is not begun with it, since a
  // refill of millions would push out all that clients lately wrote.
  void NotePulled(base::KeyspaceId keyspace, base::Token token, const base::Version& held);

  // Versions stamped up to `timestamp` are not ours to deny: another node owned the range then.
  void RaiseFloor(std::uint64_t timestamp) { floor_ = std::max(floor_, timestamp); }

  enum class Answer : std::uint8_t { kHeld, kNeverHeld, kUnknown };
  // REQUIRES: the key's current version is higher than `version`.
  Answer Ask(base::KeyspaceId keyspace, base::Token token, const base::Version& version) const;

  std::size_t size() const { return records_.size(); }

 private:
  static constexpr std::size_t kVersionsMax = 8;  // A record; the oldest is folded into the base.

  struct Record {
    base::Version base;
    std::vector<base::Version> held;
  };
  static void Add(Record& record, const base::Version& held);
  static std::uint64_t KeyOf(base::KeyspaceId keyspace, base::Token token);

  const std::size_t records_max_;
  std::uint64_t floor_ = 0;
  std::unordered_map<std::uint64_t, Record> records_;
  std::vector<std::uint64_t> ring_;  // Keys in the order of their records' beginning.
  std::size_t oldest_ = 0;
};

}  // namespace starling::server
