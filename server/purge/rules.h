// server/purge/rules.h: what may go, what may enter at or below a mark, and which answer counts.
//
// The rules of design section 8, each found with a model of three replicas: leaving one out lost an
// acknowledged write or brought a deleted one back. The numbers V1 to V13 in tests/server/purge are
// those traces.
//
// Thread: free functions over values.
// Read next: docs/purge.md, server/replica.cc, server/coordinator_get.cc
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "base/mutants.h"
#include "base/version.h"
#include "server/purge/marks.h"
#include "storage/entry.h"

namespace starling::server::purge {

// Above every version that is stamped up to `timestamp`. Empty at 0: nothing is below it.
inline base::Version HighestAt(std::uint64_t timestamp) {
  if (timestamp == 0) return {};
  return {timestamp, UINT32_MAX, UINT32_MAX};
}

// The horizon `age_ms` before `wall_ms`: the last moment of a whole second.
inline std::uint64_t HorizonAt(std::int64_t wall_ms, std::int64_t age_ms) {
  const std::int64_t end_s = (wall_ms - age_ms) / 1000;
  return end_s <= 0 ? 0 : (static_cast<std::uint64_t>(end_s) * 1000 << 16) - 1;
}

// May this entry go at a horizon that all owners have proved? Tombstones by their version; others
// by version and expiry. Never by a clock: clocks differ, and horizons do not.
inline bool Gone(const storage::EntryHeader& header, std::uint64_t horizon) {
  if (header.version.timestamp > horizon) return false;
  if (header.tombstone()) return true;
  return (header.flags & storage::kFlagHasExpiry) != 0 && header.expiry_ms <= horizon >> 16;
}

// Where an entry comes from that is to be written.
struct Source {
  bool repair = false;  // A replica had it, and says what it knows of itself:
  // The epoch that it was in, if it was a ready owner; else 0.
  std::uint64_t epoch = 0;
  std::uint64_t purged = 0;  // Its mark for the bucket.

  bool operator==(const Source&) const = default;
};

enum class Admission : std::uint8_t {
  kEnters,  // As any write: the higher version wins.
  kGone,    // What it deletes is deleted here, and it may be forgotten: nothing is stored.
  kTooOld,  // Refused.
};

// `mark`: the receiver's for the bucket; `removing`: the horizon of a purge that is under way in
// it, or 0; `epoch`: the receiver's.
inline Admission Admit(const storage::EntryHeader& header, const Mark& mark, std::uint64_t removing,
                       const Source& source, std::uint64_t epoch) {
  const std::uint64_t stamped = header.version.timestamp;
  if (stamped > mark.closed) return Admission::kEnters;
  if (!source.repair) {
    const bool hint = header.origin == storage::Origin::kHint;
    if (base::Mutant(hint ? "purge-takes-late-hints" : "purge-takes-late-writes"))
      return Admission::kEnters;
    return Admission::kTooOld;
  }
  if (source.epoch == 0 || source.epoch != epoch) return Admission::kTooOld;
  if (stamped <= mark.purged && source.purged < mark.purged) return Admission::kTooOld;
  return Gone(header, std::max(mark.purged, removing)) ? Admission::kGone : Admission::kEnters;
}

// Does a replica in `epoch`, whose mark is `purged`, take over what this source has
// (server/adoption.h)?
inline bool Adopts(const Source& source, std::uint64_t epoch, std::uint64_t purged) {
  return source.epoch != 0 && source.epoch == epoch && source.purged > purged;
}

// What a replica answered to a read.
struct ReadAnswer {
  bool there = false;
  base::Version version;
  std::uint64_t epoch = 0;
  std::uint64_t purged = 0;
};

// Up to where an answer counts for nothing beside the others: of two in one epoch, what the
// lower-marked one has at or below the other's mark is nothing. Else a read whose answers straddle
// a purge would return what was deleted.
inline std::uint64_t NothingUpto(std::span<const ReadAnswer> answers, std::size_t index) {
  const ReadAnswer& one = answers[index];
  std::uint64_t upto = 0;
  for (const ReadAnswer& other : answers)
    if (other.there && other.epoch == one.epoch && other.purged > one.purged)
      upto = std::max(upto, other.purged);
  return upto;
}

// The version that it counts for.
inline base::Version Weigh(std::span<const ReadAnswer> answers, std::size_t index) {
  const base::Version& version = answers[index].version;
  return version.timestamp <= NothingUpto(answers, index) ? base::Version{} : version;
}

}  // namespace starling::server::purge
