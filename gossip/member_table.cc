// gossip/member_table.cc: rows and their records.
#include "gossip/member_table.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace starling::gossip {
namespace {

constexpr base::Duration kTenth = base::milliseconds(100);

}  // namespace

MemberTable::~MemberTable() {
  for (Slot slot = 0; slot < rows_.size(); ++slot) {
    if (Has(slot)) Erase(slot);
  }
}

Slot MemberTable::Put(const Claim& claim, base::Instant since) {
  const std::optional<Slot> slot = roster_->Find(claim.host);
  if (!slot || !Has(*slot)) return PutNew(slot, claim, since);
  PutAt(*slot, claim, since);
  return *slot;
}

std::optional<Slot> MemberTable::Insert(const Claim& claim, base::Instant since) {
  const std::optional<Slot> slot = roster_->Find(claim.host);
  if (slot && Has(*slot)) return std::nullopt;
  return PutNew(slot, claim, since);
}

// `slot`: of the host in the roster, if it is there. Others on this roster mostly know it: then
// there is no second look-up.
Slot MemberTable::PutNew(std::optional<Slot> slot, const Claim& claim, base::Instant since) {
  if (slot)
    roster_->ReferAgain(*slot);
  else
    slot = roster_->Refer(claim.host);
  // Grown as a vector would, but never far beyond the hosts that there are.
  if (*slot >= rows_.size()) rows_.resize(std::max<std::size_t>(*slot + 1, roster_->slots()));
  ++size_;
  PutAt(*slot, claim, since);
  return *slot;
}

void MemberTable::PutAt(Slot slot, const Claim& claim, base::Instant since) {
  Row& row = rows_[slot];
  const RecordId kept =
      roster_->Keep(slot, {claim.generation, claim.address, claim.domain, claim.metadata});
  if (row.record != Roster::kNone) roster_->Release(row.record);
  row.record = kept & Roster::kNone;
  row.liveness = static_cast<std::uint32_t>(claim.liveness) & 7U;
  row.incarnation = claim.incarnation;
  // 6.8 years either way; who claims to be dead for longer is so for long enough.
  row.since_tenths = static_cast<std::int32_t>(
      std::clamp<std::int64_t>(since.since_start / kTenth, std::numeric_limits<std::int32_t>::min(),
                               std::numeric_limits<std::int32_t>::max()));
}

void MemberTable::Erase(Slot slot) {
  CHECK(Has(slot));
  roster_->Release(rows_[slot].record);
  rows_[slot] = {};
  roster_->Drop(slot);
  --size_;
}

std::optional<Slot> MemberTable::SlotOf(base::HostId host) const {
  const std::optional<Slot> slot = roster_->Find(host);
  return slot && Has(*slot) ? slot : std::nullopt;
}

std::uint64_t MemberTable::DigestAt(Slot slot) const {
  const Row& row = rows_[slot];
  return DigestOfState(roster_->at(row.record).boot_digest, row.incarnation, LivenessAt(slot));
}

Member MemberTable::At(Slot slot) const {
  const Row& row = rows_[slot];
  const Roster::Record& record = roster_->at(row.record);
  return {.host = roster_->host(slot),
          .generation = record.generation,
          .incarnation = row.incarnation,
          .address = record.address,
          .domain = record.domain,
          .metadata = record.metadata,
          .liveness = LivenessAt(slot),
          .since = {row.since_tenths * kTenth}};
}

}  // namespace starling::gossip
