// gossip/roster.cc: counting references.
#include "gossip/roster.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "gossip/guards.h"
#include "gossip/member.h"

namespace starling::gossip {

namespace {

// Mostly what is asked for came from this roster.
bool Same(const std::string& kept, base::Bytes asked) {
  return kept.size() == asked.size() && (kept.data() == asked.data() || kept == asked);
}

}  // namespace

std::size_t Roster::PlaceOf(base::HostId host) const {
  const std::size_t mask = places_.size() - 1;
  std::size_t place = base::Mix64(host.low ^ host.high) & mask;
  while (places_[place] != kNoSlot && hosts_[places_[place]].host != host)
    place = (place + 1) & mask;
  return place;
}

std::optional<Slot> Roster::Find(base::HostId host) const {
  if (next_ < hosts_.size() && hosts_[next_].host == host && hosts_[next_].references > 0)
    return next_++;
  if (places_.empty()) return std::nullopt;
  const Slot slot = places_[PlaceOf(host)];
  if (slot == kNoSlot) return std::nullopt;
  next_ = slot + 1;
  return slot;
}

void Roster::Grow() {
  const std::vector<Slot> before = std::exchange(
      places_, std::vector<Slot>(std::max<std::size_t>(16, places_.size() * 2), kNoSlot));
  for (const Slot slot : before) {
    if (slot != kNoSlot) places_[PlaceOf(hosts_[slot].host)] = slot;
  }
}

Slot Roster::Refer(base::HostId host) {
  if (used_places_ * 2 >= places_.size()) Grow();
  Slot& slot = places_[PlaceOf(host)];
  if (slot == kNoSlot) {
    ++used_places_;
    if (free_slots_.empty()) {
      CHECK(hosts_.size() < kSlotsMax);
      slot = static_cast<Slot>(hosts_.size());
      hosts_.emplace_back();
    } else {
      slot = free_slots_.back();
      free_slots_.pop_back();
    }
    hosts_[slot] = {.host = host};
  }
  ++hosts_[slot].references;
  return slot;
}

void Roster::Drop(Slot slot) {
  Host& host = hosts_[slot];
  CHECK(host.references > 0);
  if (--host.references > 0) return;
  CHECK(host.first == kNone);
  std::size_t place = PlaceOf(host.host);
  places_[place] = kNoSlot;
  --used_places_;
  free_slots_.push_back(slot);
  // Those behind it may have been pushed there by it.
  const std::size_t mask = places_.size() - 1;
  for (place = (place + 1) & mask; places_[place] != kNoSlot; place = (place + 1) & mask) {
    const Slot moved = std::exchange(places_[place], kNoSlot);
    places_[PlaceOf(hosts_[moved].host)] = moved;
  }
}

// A host has one or two versions at a time, while a change of it spreads.
RecordId Roster::Keep(Slot slot, const Version& version) {
  Host& host = hosts_[slot];
  for (RecordId id = host.first; id != kNone; id = records_[id].next) {
    Record& record = records_[id];
    if (record.generation != version.generation || record.address != version.address ||
        record.domain != version.domain || !Same(record.metadata, version.metadata))
      continue;
    ++record.references;
    return id;
  }
  if (free_record_ == kNone) {
    CHECK(records_.size() < kNone);
    free_record_ = static_cast<RecordId>(records_.size());
    records_.emplace_back();
  }
  const RecordId id = free_record_;
  Record& record = records_[id];
  free_record_ = record.next;
  record.generation = version.generation;
  record.address = version.address;
  record.domain = version.domain;
  record.metadata.assign(version.metadata);  // Into the room of the last one here.
  const std::uint64_t short_id = ShortId(host.host);
  record.bucket = static_cast<std::uint8_t>(short_id >> kBucketShift);
  record.boot_digest = DigestOfBoot(short_id, version.generation);
  record.guard_spot = Guards::SpotOf(host.host);
  record.slot = slot & (kSlotsMax - 1);
  record.references = 1;
  record.next = host.first;
  host.first = id;
  return id;
}

void Roster::Release(RecordId id) {
  Record& record = records_[id];
  CHECK(record.references > 0);
  if (--record.references > 0) return;
  RecordId* link = &hosts_[record.slot].first;
  while (*link != id) link = &records_[*link].next;
  *link = record.next;
  record.next = free_record_;
  free_record_ = id;
}

}  // namespace starling::gossip
