// gossip/roster.cc: counting references.
#include "gossip/roster.h"

#include "base/check.h"

namespace starling::gossip {

std::optional<Slot> Roster::Find(base::HostId host) const {
  const auto found = slots_.find(host);
  if (found == slots_.end()) return std::nullopt;
  return found->second;
}

Slot Roster::Refer(base::HostId host) {
  const auto [at, is_new] = slots_.try_emplace(host, 0);
  if (is_new) {
    if (free_slots_.empty()) {
      at->second = static_cast<Slot>(hosts_.size());
      hosts_.emplace_back();
    } else {
      at->second = free_slots_.back();
      free_slots_.pop_back();
    }
    hosts_[at->second] = {.host = host};
  }
  ++hosts_[at->second].references;
  return at->second;
}

void Roster::Drop(Slot slot) {
  Host& host = hosts_[slot];
  CHECK(host.references > 0);
  if (--host.references > 0) return;
  CHECK(host.first == kNone);
  slots_.erase(host.host);
  free_slots_.push_back(slot);
}

// A host has one or two versions at a time, while a change of it spreads.
RecordId Roster::Keep(Slot slot, const Version& version) {
  Host& host = hosts_[slot];
  for (RecordId id = host.first; id != kNone; id = records_[id].next) {
    Record& record = records_[id];
    if (record.generation != version.generation || record.address != version.address ||
        record.domain != version.domain || record.metadata != version.metadata)
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
  record.host = host.host;
  record.generation = version.generation;
  record.address = version.address;
  record.domain = version.domain;
  record.metadata.assign(version.metadata);  // Into the room of the last one here.
  record.slot = slot;
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
