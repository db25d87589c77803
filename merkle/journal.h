// merkle/journal.h: how what changed in a worker's trees comes to the disk.
//
// Each turn puts one record of all leaves that it changed: a put a turn, where a put a leaf was
// most of what the tree cost (docs/decisions/0005-what-the-tree-costs.md). Records lie in a ring of
// slots. Pages that changed wait, in the order of their first change; the first is put whenever its
// share of the lap is over, so that all are put about once a lap, a slot is free when its turn
// comes, and what a start has to read is bounded. A slot whose record is still needed is never
// written over: the pages that need it are put before.
//
// The owner writes what it is given in the batch of the entries. After a crash between any two
// batches, pages and then records give the tree of the entries (merkle/stored_trees.h).
//
// Thread:    confined. Each worker has one, of the slices it owns.
// Ownership: the trees outlive it, and stay where they are. 8 bytes for each slot in use.
// Read next: merkle/records.h
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/place.h"
#include "merkle/tree.h"

namespace starling::merkle {

// Takes what is to be put in the batch of the entries.
class RecordSink {
 public:
  // What is appended to the string until EndPut is the value; what it holds before is not ours.
  virtual std::string& BeginPut(base::Bytes key) = 0;
  virtual void EndPut() = 0;

 protected:
  ~RecordSink() = default;
};

struct JournalOptions {
  std::uint16_t stream = 0;  // No two journals of one engine have the same.
  // Bytes of records in a lap: four times the pages that changed since the start, within these.
  // Higher: fewer pages are put for as many records; lower: less is in memtables, on the disk, and
  // read at a start.
  std::size_t lap_bytes_min = std::size_t{1} << 20;
  std::size_t lap_bytes_max = std::size_t{32} << 20;
  // Of the ring; small turns fill it before the bytes do. At most 65,536.
  std::size_t slots_max = std::size_t{1} << 14;
};

class Journal {
 public:
  // REQUIRES: nothing is stored under the stream yet.
  explicit Journal(const JournalOptions& options);
  Journal(const Journal&) = delete;  // The queue points into it.
  Journal& operator=(const Journal&) = delete;

  // Notes the leaves that changed since the tree was taken last, and makes it clean. Each tree once
  // a turn.
  void Take(Tree& tree);
  // Puts the record of what was taken, if it is anything, and the pages that are due.
  void EndTurn(RecordSink& sink);

  std::uint64_t records() const { return number_; }   // Put so far,
  std::uint64_t pages() const { return pages_put_; }  // and pages.
  std::size_t slots() const { return slots_.size(); }
  std::size_t lap_bytes() const;

 private:
  // Of one keyspace.
  struct Pages {
    Tree* tree = nullptr;
    std::bitset<base::kSlices> waiting;  // In the queue.
    std::bitset<base::kSlices> known;    // Was there once.
  };
  struct Waiting {
    Pages* pages = nullptr;
    std::uint8_t slice = 0;
    std::uint64_t since = 0;  // The first record of what the stored page lacks.
  };

  void PutFirst(RecordSink& sink);
  void PutDue(RecordSink& sink, std::size_t bytes);
  std::size_t NextSlot(std::size_t bytes);
  // The record that the first page in the queue needs; else the one that is being put.
  std::uint64_t Oldest() const { return queue_.empty() ? number_ : queue_.front().since; }

  const JournalOptions options_;
  std::map<base::KeyspaceId, Pages> pages_;
  std::deque<Waiting> queue_;  // By `since`: it only rises.
  std::size_t pages_known_ = 0;
  std::string record_;                // Of this turn.
  std::uint64_t number_ = 0;          // Of the last record.
  std::vector<std::uint64_t> slots_;  // The number of the record in each.
  std::size_t next_slot_ = 0;
  std::size_t lap_ = 0;       // Bytes of this lap so far.
  std::uint64_t credit_ = 0;  // Towards the next page: bytes of records times pages that wait.
  std::uint64_t pages_put_ = 0;
};

}  // namespace starling::merkle
