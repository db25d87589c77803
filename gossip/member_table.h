// gossip/member_table.h: one node's rows: what it believes of each host, in 12 bytes.
//
// Iterate by slot, from 0 to slots(): rows come in the order in which hosts were first heard of,
// which the same calls repeat. A slot is a host's for as long as it is in the table.
//
// Thread:    confined to one thread.
// Read next: gossip/roster.h
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/time.h"
#include "gossip/member.h"
#include "gossip/roster.h"

namespace starling::gossip {

class MemberTable {
 public:
  explicit MemberTable(std::shared_ptr<Roster> roster) : roster_(std::move(roster)) {}
  ~MemberTable();
  MemberTable(const MemberTable&) = delete;
  MemberTable& operator=(const MemberTable&) = delete;

  // Inserts or replaces. `since` is kept in tenths of a second.
  Slot Put(const Claim& claim, base::Instant since);
  // The same of a host whose slot is known. REQUIRES: Has(slot).
  void PutAt(Slot slot, const Claim& claim, base::Instant since);
  // Likewise; nullopt, and nothing is done, if it is there.
  std::optional<Slot> Insert(const Claim& claim, base::Instant since);
  void Erase(Slot slot);

  std::optional<Slot> SlotOf(base::HostId host) const;
  bool Has(Slot slot) const { return slot < rows_.size() && rows_[slot].record != Roster::kNone; }
  // REQUIRES: Has(slot). The metadata is valid until the row changes.
  Member At(Slot slot) const;
  // Of that, what is compared with each claim that comes. REQUIRES: Has(slot).
  Standing StandingAt(Slot slot) const {
    const Row& row = rows_[slot];
    return {roster_->at(row.record).generation, row.incarnation, LivenessAt(slot)};
  }
  // Membership::DigestOf and BucketOf it, the host, its domain, and its Guards::SpotOf. REQUIRES:
  // Has(slot).
  std::uint64_t DigestAt(Slot slot) const;
  base::HostId HostAt(Slot slot) const { return roster_->host(slot); }
  std::size_t BucketAt(Slot slot) const { return roster_->at(rows_[slot].record).bucket; }
  std::uint32_t DomainAt(Slot slot) const { return roster_->at(rows_[slot].record).domain; }
  std::uint64_t GuardSpotAt(Slot slot) const { return roster_->at(rows_[slot].record).guard_spot; }
  // Without touching the roster. REQUIRES: Has(slot).
  Liveness LivenessAt(Slot slot) const { return static_cast<Liveness>(rows_[slot].liveness); }
  // Whether it was met: it answered this node itself. Of a host, not of its boot. REQUIRES:
  // Has(slot).
  bool MetAt(Slot slot) const { return rows_[slot].met != 0; }
  void SetMet(Slot slot) { rows_[slot].met = 1; }

  std::size_t slots() const { return rows_.size(); }
  std::size_t size() const { return size_; }

 private:
  struct Row {
    std::uint32_t record : 28 = Roster::kNone;
    std::uint32_t liveness : 3 = 0;
    std::uint32_t met : 1 = 0;
    std::uint32_t incarnation = 0;
    std::int32_t since_tenths = 0;
  };
  static_assert(sizeof(Row) == 12);

  Slot PutNew(std::optional<Slot> slot, const Claim& claim, base::Instant since);

  std::shared_ptr<Roster> roster_;
  std::vector<Row> rows_;  // By slot.
  std::size_t size_ = 0;
};

}  // namespace starling::gossip
