// gossip/vitals.h: what changes all the time about a member, as it says in its acks.
//
// The fast one of the three classes of metadata (docs/gossip.md): it rides on acks alone, so that a
// load that changes every second makes no news, raises no incarnation and costs no datagram. Who
// pings a member knows it as of then; others do not hear of it.
//
// Thread:    confined to one thread.
// Ownership: keeps copies. Of who is a member, its owner decides (KeepOnly).
// Read next: gossip/prober.h
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "base/bytes.h"
#include "base/host_id.h"
#include "base/time.h"

namespace starling::gossip {

// A ping's body has 18 bytes more than its ack's, and no answer is larger than what it answers.
inline constexpr std::size_t kVitalsBytesMax = 15;

// As one generation of a member said them.
struct Vitals {
  std::uint64_t generation = 0;
  base::Instant heard{};
  std::string bytes{};  // The owner's; gossip carries them and does not look inside.
};

class VitalsBook {
 public:
  void Hear(base::Instant now, base::HostId host, std::uint64_t generation, base::Bytes bytes) {
    Vitals& vitals = by_host_[host];
    vitals.generation = generation;
    vitals.heard = now;
    vitals.bytes.assign(bytes);
  }

  // nullptr: that generation of it has not said any to this node. Valid until the next Hear.
  const Vitals* Of(base::HostId host, std::uint64_t generation) const {
    const auto found = by_host_.find(host);
    return found == by_host_.end() || found->second.generation != generation ? nullptr
                                                                             : &found->second;
  }

  // Drops those for whose host `keep(host)` is false.
  template <typename Keep>
  void KeepOnly(Keep keep) {
    std::erase_if(by_host_, [&](const auto& entry) { return !keep(entry.first); });
  }

  std::size_t size() const { return by_host_.size(); }

 private:
  struct HashHost {
    std::size_t operator()(const base::HostId& host) const { return host.low ^ host.high; }
  };

  // Its own order shows nowhere.
  std::unordered_map<base::HostId, Vitals, HashHost> by_host_;
};

}  // namespace starling::gossip
