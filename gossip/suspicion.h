// gossip/suspicion.h: who accuses a silent member, and how long it has to refute.
//
// The formulas of SWIM, Lifeguard and Starling side by side, without state, so that a table can
// test them. Integers only: a verdict must not depend on how a machine rounds.
//
// Thread:    values and free functions.
// Read next: gossip/membership.h
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/host_id.h"
#include "base/time.h"
#include "gossip/options.h"

namespace starling::gossip {

// A host, short enough to travel in a claim, and the failure domain that it is in.
struct Accuser {
  std::uint64_t id = 0;
  std::uint32_t domain = 0;

  bool operator==(const Accuser&) const = default;
};

std::uint64_t ShortId(base::HostId host);  // Evenly spread.

// Independent witnesses of one silence: enough for a verdict, and no more.
class Accusers {
 public:
  static constexpr std::size_t kMax = 3;

  // False if nothing changed. When full, a witness from a second domain takes the place of one
  // from the first: two racks say more than three hosts of one.
  bool Add(const Accuser& accuser);
  bool Contains(std::uint64_t id) const;
  std::size_t domains() const;

  std::size_t size() const { return size_; }
  std::span<const Accuser> all() const { return {accusers_.data(), size_}; }
  bool operator==(const Accusers&) const = default;

 private:
  std::array<Accuser, kMax> accusers_{};
  std::uint8_t size_ = 0;
};

// Those who could accuse: members that are alive and this node, the accused not among them.
struct Witnesses {
  std::size_t hosts = 0;
  std::size_t domains = 0;
};

// By Accusers::kMax hosts, or all if there are fewer; from two domains, where there are two.
bool Confirmed(const Accusers& accusers, const Witnesses& witnesses);

// 1000 * log10(n), rounded down. REQUIRES: n > 0.
std::uint64_t MilliLog10(std::uint64_t n);

// From the first accusation to dead, with `accusers` so far among `members` (this node included).
//   swim:      suspicion_mult * max(1, log10 N) * probe_interval
//   lifeguard: from suspicion_max_mult times that with one accuser down to it with all of
//              suspicion_mult - 1, by the logarithm (dogpile)
//   starling:  from kUnconfirmedFactor * suspicion_timeout down to suspicion_timeout with
//              Accusers::kMax, in the same way; never by N
base::Duration SuspicionTimeout(const GossipOptions& options, std::size_t members,
                                std::size_t accusers);

inline constexpr int kAckTimeoutsPerProbe = 3;  // One for the ping, two for the longer ways.

// From the last word of a member to dead where others confirm it: until its turn to be probed
// comes, a probe that fails, and the time to refute.
base::Duration SilenceToDead(const GossipOptions& options);

// What it is at most, of a single accuser: for so long an answer may still speak for the accused.
base::Duration LongestTrial(const GossipOptions& options);

}  // namespace starling::gossip
