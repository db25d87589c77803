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
  // REQUIRES: circles <= kGuardsMax.
  Guards(base::HostId self, std::size_t circles) : circles_(circles) {
    for (std::size_t circle = 0; circle < circles_; ++circle)
      own_places_[circle] = Place(circle, SpotOf(self));
  }

  // What of a host says where it stands.
  static std::uint64_t SpotOf(base::HostId host) {
    return base::Mix64(host.low ^ base::Mix64(host.high));
  }

  // A member came, or came back.
  void Present(base::HostId host) { Present(host, SpotOf(host)); }
  void Present(base::HostId host, std::uint64_t spot) {
    for (std::size_t circle = 0; circle < circles_; ++circle) {
      const std::uint64_t distance = Place(circle, spot) - own_places_[circle];  // Clockwise.
      if (next_[circle] && distance >= distances_[circle]) continue;
      next_[circle] = host;
      distances_[circle] = distance;
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

  // Nobody: alone, or no such circle.
  std::optional<base::HostId> Of(std::size_t circle) const { return next_[circle]; }

 private:
  static std::uint64_t Place(std::size_t circle, std::uint64_t spot) {
    return base::Mix64(spot + circle);
  }

  std::size_t circles_;
  std::array<std::uint64_t, kGuardsMax> own_places_{};
  std::array<std::optional<base::HostId>, kGuardsMax> next_{};
  std::array<std::uint64_t, kGuardsMax> distances_{};  // To next_.
};

}  // namespace starling::gossip
