// server/uncommitted.h: what is written and not committed yet: the newest header of each key.
//
// Commits are done in the order in which they were handed over, so what they wrote stands in one
// ring, oldest first, and its end is dropped when a commit is done. A table of places in the ring
// finds the newest of a key by its token, which is a hash already: a write costs no allocation, and
// no second hash. (A map of strings took two fifths of a worker's time while it took a pull.)
//
// Thread:    confined to its worker.
// Ownership: the ring; the bytes of the keys are their commits'.
// Read next: server/replica_commit.cc
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "storage/entry.h"

namespace starling::server {

class Uncommitted {
 public:
  struct Record {
    base::Bytes stored_key;  // As in storage: prefix and key.
    storage::EntryHeader header;
    std::uint64_t commit = 0;  // The one that makes it readable.
  };

  // The newest of the key, or null. Valid until something is noted or forgotten.
  const Record* Find(base::Bytes stored_key) const;

  // What the newest commit writes of a key that it did not write yet. REQUIRES: its bytes stay
  // where they are until the commit is forgotten, and no later commit was noted.
  void Note(const Record& record);

  // The key of `newest`, which Find gave, is written once more by the same commit.
  void NoteAgain(const Record& newest, const storage::EntryHeader& header);

  // Takes out what `commit` and those before it wrote, and tells the key of each.
  // `gone(Bytes stored_key)` must not note anything.
  template <typename Gone>
  void Forget(std::uint64_t commit, const Gone& gone) {
    while (size_ > 0 && records_[oldest_].commit <= commit) {
      gone(records_[oldest_].stored_key);
      DropOldest();
    }
    if (size_ == 0) ReleaseMuch();
  }

  // The newest of each key, in no order.
  template <typename Each>
  void ForEach(const Each& each) const {
    for (const Slot& slot : slots_)
      if (slot.record != kNone) each(records_[slot.record]);
  }

  bool empty() const { return size_ == 0; }
  // Of all commits: a key that several wrote counts once for each.
  std::size_t size() const { return size_; }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  static constexpr std::size_t kRecordsMin = 256;
  static constexpr std::size_t kRecordsKept = 16384;  // A ring that had more gives them back.

  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t record = kNone;  // Its place in the ring.
  };

  static std::uint32_t HashOf(base::Bytes stored_key);
  // Where the key's newest is, or the free slot where it would be.
  std::size_t SlotOf(base::Bytes stored_key, std::uint32_t hash) const;
  void DropOldest();
  void Free(std::size_t slot);
  void Grow();
  void ReleaseMuch();

  // Both have a power of two of places, `slots_` twice as many: so half of them are free.
  std::vector<Record> records_;
  std::vector<Slot> slots_;
  std::size_t oldest_ = 0;
  std::size_t size_ = 0;
};

}  // namespace starling::server
