// gossip/guards.h: whom this node guards: members that it probes every interval, not in turn.
//
// Hosts stand on kGuardsMax circles, each in an order of its own (a hash of host and circle); on
// each a node guards the next present one. So each member has as many guards as there are circles,
// all nodes agree who they are without a word, and the wait for a probe does not grow with N.
// (Deterministic where SWIM draws: a random prober comes after 1.58 intervals on average, but
// after more than 5 once in a hundred.)
//
// Thread: confined to its owner.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/host_id.h"
#include "base/random.h"

namespace starling::gossip {

inline constexpr std::size_t kGuardsMax = 4;

class Guards {
 public:
  explicit Guards(base::HostId self) : self_(self) {}

  // A member came, or came back.
  void Present(base::HostId host) {
    for (std::size_t circle = 0; circle < kGuardsMax; ++circle) {
      std::optional<base::HostId>& next = next_[circle];
      if (!next || Distance(circle, host) < Distance(circle, *next)) next = host;
    }
  }

  // A member is gone. True if it was guarded: the caller then tells of all that are present.
  bool Gone(base::HostId host) {
    bool guarded = false;
    for (std::optional<base::HostId>& next : next_) {
      if (next != host) continue;
      next.reset();
      guarded = true;
    }
    return guarded;
  }

  // Nobody: alone.
  std::optional<base::HostId> Of(std::size_t circle) const { return next_[circle]; }

 private:
  // Clockwise from this node.
  std::uint64_t Distance(std::size_t circle, base::HostId host) const {
    return Place(circle, host) - Place(circle, self_);
  }
  static std::uint64_t Place(std::size_t circle, base::HostId host) {
    return base::Mix64(host.low ^ base::Mix64(host.high + circle));
  }

  base::HostId self_;
  std::array<std::optional<base::HostId>, kGuardsMax> next_{};
};

}  // namespace starling::gossip
