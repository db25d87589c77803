// server/held_memory.h: which versions this replica lately held, so that it can say `never held`.
//
// A superseded write may be stamped again only if enough replicas say that they never held it
// (design section 9). "Never held" needs a memory that is unbroken: each change of a key's version
// leaves a note { from, to }, and the notes of a key that are still here follow on one another. A
// version above the oldest one's `from` that is in none of them was never held. After a restart,
// or once all notes of a key were overwritten, the answer is `unknown`.
//
// Every write notes and hardly any asks, so a note costs little: notes are a ring that is written
// in order, those of like hash are chained backwards, and a note looks at nothing but its chain's
// head. (A table of records by key took 6 % of a write's time, waiting for memory.)
//
// Thread:    confined to the worker that owns the keys.
// Read next: server/replica.h
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/place.h"
#include "base/version.h"

namespace starling::server {

class HeldMemory {
 public:
  // `notes_max`: how many changes are remembered, 48 bytes each. Lowering it makes more skewed
  // writes end as timeouts instead of being stamped again.
  explicit HeldMemory(std::size_t notes_max);

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

  std::size_t size() const { return notes_.size(); }

 private:
  static constexpr int kVersionsMax = 8;  // Told apart of one key; what is older is unknown.
  static constexpr int kStepsMax = 64;  // Along a chain: who makes hashes collide gains `unknown`.

  struct Change {
    std::uint64_t key;
    base::Version replaced;
    base::Version held;
    std::uint64_t before;  // The position of the one before it in its chain.
  };

  static std::uint64_t KeyOf(base::KeyspaceId keyspace, base::Token token);
  std::uint64_t& HeadOf(std::uint64_t key);
  void Add(std::uint64_t key, const base::Version& replaced, const base::Version& held);
  // Calls `look` for what is noted of the key, the newest first, until it returns false.
  template <typename Look>
  void Walk(std::uint64_t key, Look&& look) const;

  const std::size_t notes_max_;
  std::uint64_t floor_ = 0;
  std::vector<Change> notes_;         // A ring: position p is at p % notes_max_.
  std::uint64_t noted_ = 0;           // Positions so far.
  std::vector<std::uint64_t> heads_;  // The newest position of each chain.
};

}  // namespace starling::server
