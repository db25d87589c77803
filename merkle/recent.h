// merkle/recent.h: what changed lately in each bucket, so that a leaf is known as of a moment past.
//
// Under load two replicas' leaves of "now" never match, so they are compared as of a cut. Each
// write notes what it added less what it replaced, under the second of its version, its generation;
// a leaf as of cut c is the leaf less the changes of later generations. Versions of a key only
// rise, so that takes back whole writes, from the newest on: what is left is, for each key, the
// highest version up to c that this replica held, overwritten since or not.
//
// Not known: what a replica would have held had a write that came too late come in time.
//
// Thread:    confined.
// Ownership: about 48 bytes for each bucket that changed in a generation that is kept.
// Read next: merkle/history.h, docs/repair.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "base/mutants.h"
#include "base/place.h"
#include "merkle/digest.h"

namespace starling::merkle {

// A second of versions. As a cut it stands for its end: all versions of it and before are in.
using Generation = std::int64_t;
inline constexpr std::int64_t kGenerationMs = 1000;

// How far clocks may be apart (G8), in ms.
inline constexpr std::int64_t kSkewMs = 500;

constexpr Generation GenerationOf(std::int64_t wall_ms) {
  return wall_ms >= 0 ? wall_ms / kGenerationMs : (wall_ms + 1) / kGenerationMs - 1;
}
constexpr std::int64_t EndOf(Generation cut) { return (cut + 1) * kGenerationMs; }  // Wall ms.

// What a write of that version counts for, that comes at `wall_ms` by the receiver's clock. Stamps
// of a clock that was far ahead count from when they come: else none of them would be compared
// before the others' clocks are there.
inline Generation FiledUnder(std::int64_t version_ms, std::int64_t wall_ms) {
  if (base::Mutant("repair-far-stamps-wait")) return GenerationOf(version_ms);
  const Generation latest = GenerationOf(wall_ms + kSkewMs);
  return GenerationOf(version_ms) < latest ? GenerationOf(version_ms) : latest;
}

// The newest cut that is compared: 2 s old, so that the writes up to it have come everywhere.
inline constexpr std::int64_t kCutAgeMs = 2000;
constexpr Generation NewestCut(std::int64_t wall_ms) {
  return GenerationOf(wall_ms - kCutAgeMs) - 1;
}

class Recent {
 public:
  // Of all buckets and generations together. Lower: cuts can be answered less long under load;
  // higher: more memory. The newest generation, some 65,536 records, is kept in any case.
  static constexpr std::size_t kRecordsMax = 1 << 18;
  static constexpr std::size_t kHoldsMax = 4;

  // Nothing is known of before `start`: it is the oldest cut that can be answered.
  explicit Recent(Generation start, std::size_t records_max = kRecordsMax);

  // A write filed under `generation` changed the bucket by `delta`: what it added less what it
  // replaced.
  void Note(std::uint16_t bucket, Generation generation, const Digest& delta);

  // Has the newest generation's record of the bucket brought near, without waiting for it.
  void Prefetch(std::uint16_t bucket) const {
    if (!tables_.empty()) tables_.rbegin()->second.Prefetch(bucket);
  }

  // What was changed after the cut. REQUIRES: Answers(cut).
  Digest Later(std::uint16_t bucket, Generation cut) const;
  // Calls visit(bucket, delta) for all of it; a bucket may come more than once.
  template <typename Visit>
  void ForEachLater(Generation cut, Visit&& visit) const {
    for (auto it = tables_.upper_bound(cut); it != tables_.end(); ++it) it->second.ForEach(visit);
  }

  // Every cut from here on can be answered, and those that are held.
  Generation oldest_cut() const { return oldest_; }
  bool Answers(Generation cut) const { return cut >= oldest_ || held_.contains(cut); }

  // No cut before `cut` will be asked for any more, but those that are held.
  void Forget(Generation cut);
  // Keeps one cut answerable until it is released: at most a record a bucket, however long. False
  // when it cannot be answered now, or kHoldsMax are held.
  bool Hold(Generation cut);
  void Release(Generation cut);

  std::size_t records() const { return records_; }
  std::size_t memory_bytes() const;

 private:
  // The changes of some generations, summed by bucket. Open addressing: it is on the path of every
  // write.
  class Table {
   public:
    bool Add(std::uint16_t bucket, const Digest& delta);  // True when the bucket is new in it.
    void Clear();                                         // Keeps its memory.
    Digest Find(std::uint16_t bucket) const;
    void Prefetch(std::uint16_t bucket) const {
      if (!slots_.empty()) __builtin_prefetch(&slots_[FirstPlace(bucket)], 1);
    }
    std::size_t size() const { return size_; }
    std::size_t memory_bytes() const { return slots_.capacity() * sizeof(Slot); }
    template <typename Visit>
    void ForEach(Visit&& visit) const {
      for (const Slot& slot : slots_)
        if (slot.used != 0) visit(slot.bucket, slot.delta);
    }

   private:
    struct alignas(32) Slot {  // In one cache line.
      Digest delta;
      std::uint16_t bucket = 0;
      std::uint16_t used = 0;
    };
    // Where the search for it begins.
    std::size_t FirstPlace(std::uint16_t bucket) const {
      return (bucket * 0x9e3779b1u >> 8) & (slots_.size() - 1);
    }
    std::size_t Place(std::uint16_t bucket) const;
    void Grow();

    std::vector<Slot> slots_;  // A power of two of them.
    std::size_t size_ = 0;
  };

  Generation TableOf(Generation generation) const;
  Table& TableAt(Generation last);
  void CheckInvariants() const;

  const std::size_t records_max_;
  Generation oldest_;
  std::set<Generation> held_;
  // By the last generation that each comprises: one alone above oldest_; up to there as many as lie
  // between two cuts that are held.
  std::map<Generation, Table> tables_;
  std::size_t records_ = 0;
  Table spare_;  // Empty; for its memory: a second of load takes as much as the one before.
};

}  // namespace starling::merkle
