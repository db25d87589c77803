// gossip/goodbye.h: the last words of a node that leaves.
//
// A goodbye that is lost looks like a failure to all others. So it goes round robin to at least
// kTellMin distinct members, and again each gossip_interval to further ones, until kAcksMin of them
// (or all, if there are fewer) said that they heard it, or kDeadline passes.
//
// Thread: confined to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "gossip/courier.h"
#include "gossip/membership.h"
#include "gossip/message.h"
#include "gossip/options.h"

namespace starling::gossip {

class Goodbye {
 public:
  static constexpr std::size_t kTellMin = 8;
  static constexpr std::size_t kAcksMin = 3;
  static constexpr base::Duration kDeadline = base::seconds(5);

  // The references outlive this.
  Goodbye(const GossipOptions& options, Membership& membership, Courier& courier,
          base::Random& random)
      : options_(options), membership_(membership), courier_(courier), random_(random) {}
  Goodbye(const Goodbye&) = delete;
  Goodbye& operator=(const Goodbye&) = delete;

  // REQUIRES: membership has left.
  void Start(base::Instant now);
  // True if it answers a goodbye of ours.
  bool OnAck(const Header& header, const Ack& ack);

  void OnTick(base::Instant now);
  base::Instant next_tick() const;

  // Whether the process may end: enough others know, or waiting longer would bring nothing.
  bool said(base::Instant now) const;

 private:
  void Tell(base::Instant now, std::size_t count);

  const GossipOptions& options_;
  Membership& membership_;
  Courier& courier_;
  base::Random& random_;

  std::uint64_t nonce_ = 0;  // 0: not leaving.
  base::Instant deadline_;
  base::Instant next_round_;
  std::vector<base::HostId> heard_by_;  // At most kAcksMin.
};

}  // namespace starling::gossip
