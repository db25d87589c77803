// server/tree_making.h: which slices' trees are being made anew, and what of a write counts there
// meanwhile.
//
// After files were lost or put back, leaves and counts of what is dead may be of another moment
// than the entries. They are made anew from these, a slice at a time, while reads and writes go on;
// and each entry must count exactly once. A walk goes through the slice in the order of storage, in
// steps, each of a page that is read off the worker:
//
// - A write to a key that the walk has passed changes leaf and counts at once, as ever. One to a
//   key ahead of it changes neither: the walk will meet what it leaves.
// - While a page is read nobody knows how far it will reach, nor whether its cursor shows a write
//   of meanwhile. So each key ahead that is written to during the step is noted with what it then
//   holds, and at its beginning each that was written to and is not committed yet. Of a noted key
//   that the page covers, what is noted counts and not what the page says. Every other key of the
//   page had its last write committed before the cursor was opened, and has had none since.
// - What is noted beyond the page's end is forgotten: the next step notes it again, or its cursor
//   shows it.
// - A slice of which a page cannot be read is put aside, as far as the walk has come in it, and the
//   walk goes on with the others: it comes back to those that were put aside when nothing else is
//   left.
// - A slice is made with the batch of its last page, which drops its record. After a crash before
//   that it is made from its beginning, without what was stored of it by then.
//
// So a leaf is right once its slice is made, and nothing is compared with it before. What changed
// since the start is noted by seconds all the same (merkle/recent.h): a made leaf less those notes
// is as of a cut, whenever it was made.
//
// Thread:    confined to its worker.
// Read next: server/tree_rebuild.h
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/place.h"
#include "base/status.h"
#include "storage/entry.h"

namespace starling::server {

// What becomes of an entry that is damaged. Dropped, it is lost here until another replica sends
// it: only a node that has told of a loss may do that.
enum class DamagedEntries : std::uint8_t { kKeep = 1, kDrop = 2 };

class TreeMaking {
 public:
  // The slice has a record: it is to be made.
  void Load(std::uint8_t slice, DamagedEntries damaged) {
    unmade_.set(slice);
    drops_.set(slice, damaged == DamagedEntries::kDrop);
  }
  DamagedEntries damaged(std::uint8_t slice) const {
    return drops_.test(slice) ? DamagedEntries::kDrop : DamagedEntries::kKeep;
  }

  bool Made(std::uint16_t bucket) const { return !unmade_.test(base::SliceOf(bucket)); }
  std::size_t left() const { return unmade_.count(); }  // Slices.

  // A write leaves the key with `now` (an empty version: with nothing). Whether that changes the
  // leaf and the counts; if not, the walk meets it.
  bool Counts(std::uint16_t bucket, base::Bytes stored_key, const storage::EntryHeader& now);

  // --- the walk ---
  struct Step {
    std::uint8_t slice = 0;
    std::string from;  // A stored key to begin at; empty: the slice's beginning.
  };
  // REQUIRES: left() > 0, and no step is under way.
  Step Begin();
  // At a step's beginning: what was written and is not committed yet.
  void Note(base::Bytes stored_key, const storage::EntryHeader& now);
  bool Noted(base::Bytes stored_key) const { return noted_.find(stored_key) != noted_.end(); }
  // The page ends before `upto`; empty: with the slice. Calls count(stored key, header) for what is
  // noted in it. True: the slice is made.
  template <typename Count>
  bool End(base::Bytes upto, Count&& count) {
    for (const auto& [key, header] : noted_)
      if ((upto.empty() || base::Bytes(key) < upto) && !header.version.empty())
        count(base::Bytes(key), header);
    return Pass(upto);
  }
  // The page could not be read: the step is to be done again. Whether there is a slice to go on
  // with meanwhile; if not, all that are left are tried again.
  bool GiveUp();
  // Slices that were put aside and not been come back to.
  std::size_t put_aside() const { return aside_.count(); }

  // --- records in Family::kMeta, one for each slice that is to be made: kPrefix | slice u8, and
  // a DamagedEntries as u8 ---
  static constexpr base::Bytes kPrefix = "tree.unmade/";
  static std::string RecordKey(std::uint8_t slice);
  static std::string RecordOf(DamagedEntries damaged);
  base::Status Load(base::Bytes key, base::Bytes record);  // Corruption when malformed.
  static base::Result<std::uint8_t> ParseKey(base::Bytes key);

 private:
  struct BytesHash {
    using is_transparent = void;
    std::size_t operator()(base::Bytes bytes) const { return base::Hash64(bytes); }
  };

  bool Pass(base::Bytes upto);

  std::bitset<base::kSlices> unmade_;
  std::bitset<base::kSlices> drops_;
  std::optional<std::uint8_t> slice_;  // That the walk is in.
  // What is before this stored key, it has passed, in this slice and those that it put aside.
  std::map<std::uint8_t, std::string> upto_;
  std::bitset<base::kSlices> aside_;
  bool reading_ = false;  // A step is under way.
  // Ahead of the walk, and written to during the step.
  std::unordered_map<std::string, storage::EntryHeader, BytesHash, std::equal_to<>> noted_;
};

}  // namespace starling::server
