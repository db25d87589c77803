// gossip/roster.h: hosts and what changes rarely about them, each kept once a process.
//
// A member table (gossip/member_table.h) has one small row a host; what all tables of a process
// would repeat, addresses and metadata, is here, immutable and shared: gossip-sim's 10,000 tables
// of 10,000 members would need 30 GB otherwise. A node has one table, and gains that a host is
// found by one look-up and all else by its slot.
//
// Thread:    confined to one thread, that of all the tables on it.
// Ownership: counts references; what nobody refers to is reused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/host_id.h"

namespace starling::gossip {

using Slot = std::uint32_t;      // Of a host: dense, and reused once no table has it.
using RecordId = std::uint32_t;  // Of one version of what a host says.

class Roster {
 public:
  static constexpr Slot kNoSlot = ~Slot{0};
  static constexpr Slot kSlotsMax = 1U << 24;
  static constexpr RecordId kNone = (1U << 28) - 1;  // Leaves a row four bits for more.

  // 10,000 of them are most of what a node's members cost.
  struct Record {
    std::uint64_t generation = 0;
    base::Address address{};
    std::string metadata{};
    // Of the above, so that no table has to hash them.
    std::uint64_t boot_digest = 0;  // DigestOfBoot().
    std::uint64_t guard_spot = 0;   // Guards::SpotOf().
    std::uint32_t domain = 0;
    std::uint32_t bucket : 8 = 0;  // The top of ShortId().
    std::uint32_t slot : 24 = 0;
    std::uint32_t references = 0;
    RecordId next = kNone;  // Of the same host, or of the free list.
  };
  // What makes one version differ from another.
  struct Version {
    std::uint64_t generation;
    base::Address address;
    std::uint32_t domain;
    base::Bytes metadata;
  };

  std::optional<Slot> Find(base::HostId host) const;
  // The slot of the host, a new one if need be. Each call is one reference.
  Slot Refer(base::HostId host);
  void ReferAgain(Slot slot) { ++hosts_[slot].references; }  // REQUIRES: it is referred to.
  void Drop(Slot slot);

  // A record of the host at `slot` that says this. Each call is one reference. REQUIRES: the slot
  // is referred to, and stays so for as long as the record.
  RecordId Keep(Slot slot, const Version& version);
  void Release(RecordId record);

  base::HostId host(Slot slot) const { return hosts_[slot].host; }
  const Record& at(RecordId record) const { return records_[record]; }
  std::size_t slots() const { return hosts_.size(); }      // Every slot is below.
  std::size_t records() const { return records_.size(); }  // Used and free.

 private:
  struct Host {
    base::HostId host;
    std::uint32_t references = 0;
    RecordId first = kNone;
  };
  // Where in places_ the host is, or the free place where it would be.
  std::size_t PlaceOf(base::HostId host) const;
  void Grow();

  std::vector<Host> hosts_;
  std::vector<Slot> free_slots_;
  // By hash, open addressed, at most half full: each claim of each packet looks its host up.
  std::vector<Slot> places_;
  std::size_t used_places_ = 0;
  // After the one that was found last: tables are restored and travel in the order of slots.
  mutable Slot next_ = 0;
  std::deque<Record> records_;  // Stay where they are.
  RecordId free_record_ = kNone;
};

}  // namespace starling::gossip
