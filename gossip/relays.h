// gossip/relays.h: pings in another's place, for a prober that hears nothing of a member.
//
// The helper's part of an indirect probe: it pings the target, passes its ack on under the asker's
// nonce, and says so (nack) if it hears nothing either.
//
// Thread:    confined to one thread.
// Read next: gossip/prober.h
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "gossip/courier.h"
#include "gossip/membership.h"
#include "gossip/message.h"
#include "gossip/options.h"

namespace starling::gossip {

class Relays {
 public:
  // The references outlive this.
  Relays(const GossipOptions& options, Membership& membership, Courier& courier,
         base::Random& random)
      : options_(options), membership_(membership), courier_(courier), random_(random) {}
  Relays(const Relays&) = delete;
  Relays& operator=(const Relays&) = delete;

  void OnPingRequest(base::Instant now, Asked asked, const PingRequest& request);
  // Of any ack that is none to a probe of this node's own.
  void OnAck(base::Instant now, std::uint64_t nonce);

  void OnTick(base::Instant now);
  base::Instant next_tick() const { return due_; }

  // This process was late: what it did not hear says nothing, and is told to nobody.
  void Forget();

 private:
  struct Relay {
    std::uint64_t nonce;  // Of this node's own ping.
    base::HostId target;
    Asked asked;
    std::uint64_t origin_nonce;
    base::Address address{};     // The target's.
    base::Instant again_at;      // Never(): done.
    base::Instant nack_at;       // Never(): done, or nobody wants it.
    base::Instant expires;       // The asker has given up.
    base::Instant forgotten_at;  // Until then an answer speaks for the target, if nothing else.
    bool answered = false;       // By a nack: one answer is enough.
  };

  const GossipOptions& options_;
  Membership& membership_;
  Courier& courier_;
  base::Random& random_;

  void MakeRoom(base::Instant now);

  std::vector<Relay> relays_;  // A few hundred at most; their room is kept.
  // Not after the earliest again_at or nack_at of relays_: most are done, and kept for a late ack.
  base::Instant due_ = base::Instant::Never();
};

}  // namespace starling::gossip
