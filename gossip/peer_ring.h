// gossip/peer_ring.h: whose turn it is: round robin over a shuffled list.
//
// Against drawing at random each time: the longest wait is bounded, and successive targets are
// distinct, which is what makes few transmissions reach all of a small cluster.
// New members enter at a random place, so that many joining at once don't come in a row.
//
// Thread: confined to its owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/host_id.h"
#include "base/random.h"

namespace starling::gossip {

class PeerRing {
 public:
  enum class AtEnd : std::uint8_t {
    kShuffle,    // Nobody can foresee whom this node probes next; a wait is at most 2N-1 turns.
    kKeepOrder,  // Any N turns in a row visit all, across the end too; a wait is N turns.
  };
  explicit PeerRing(AtEnd at_end) : at_end_(at_end) {}

  // REQUIRES: not in the ring.
  void Insert(base::HostId host, base::Random& random) {
    const std::size_t at = random.Below(hosts_.size() + 1);
    hosts_.insert(hosts_.begin() + static_cast<std::ptrdiff_t>(at), host);
    if (at < next_) ++next_;  // Whose turn it is stays so.
  }

  void Remove(base::HostId host) {
    for (std::size_t at = 0; at < hosts_.size(); ++at) {
      if (hosts_[at] != host) continue;
      hosts_.erase(hosts_.begin() + static_cast<std::ptrdiff_t>(at));
      if (at < next_) --next_;
      return;
    }
  }

  // The next host that `eligible` accepts; nullopt if none does.
  template <typename Eligible>
  std::optional<base::HostId> Next(base::Random& random, Eligible eligible) {
    for (std::size_t tried = 0; tried < hosts_.size(); ++tried) {
      if (next_ >= hosts_.size()) {
        if (at_end_ == AtEnd::kShuffle) random.Shuffle(hosts_);
        next_ = 0;
      }
      const base::HostId host = hosts_[next_++];
      if (eligible(host)) return host;
    }
    return std::nullopt;
  }

  std::size_t size() const { return hosts_.size(); }

 private:
  AtEnd at_end_;
  std::vector<base::HostId> hosts_;
  std::size_t next_ = 0;
};

}  // namespace starling::gossip
