// gossip/relays.cc: pinging for others, within what their request paid for.
#include "gossip/relays.h"

#include <algorithm>

#include "gossip/suspicion.h"

namespace starling::gossip {
namespace {

constexpr std::size_t kRelaysMax = 256;  // Beyond it, requests of others are ignored.
constexpr int kAckTimeoutsKept = 3;      // As long as the asker's probe takes.
constexpr std::size_t kRelayedMore = 2;  // Another ping, and a nack, which is smaller.
// A nack is sent early enough to arrive before the asker gives up.
constexpr base::Duration NackAfter(base::Duration ack_timeout) { return ack_timeout * 4 / 5; }
constexpr base::Duration AgainAfter(base::Duration ack_timeout) { return ack_timeout * 2 / 5; }

}  // namespace

void Relays::OnPingRequest(base::Instant now, Asked asked, const PingRequest& request) {
  MakeRoom(now);
  if (relays_.size() >= kRelaysMax || request.target == membership_.self().host) return;
  if (request.address == asked.from) return;  // It would get pings and an answer for one packet.
  const Ping ping{random_.Next(), request.target};
  if (!courier_.Reply(now, request.address, ping, asked,
                      AsSpan(membership_.AccusationOf(now, request.target)), kRelayedMore))
    return;
  const bool repeats = options_.features().eager_probes;
  const bool says_nack = options_.features().nacks;
  const Relay relay{
      .nonce = ping.nonce,
      .target = request.target,
      .asked = asked,
      .origin_nonce = request.nonce,
      .address = request.address,
      .again_at = repeats ? now + AgainAfter(options_.ack_timeout) : base::Instant::Never(),
      .nack_at = says_nack ? now + NackAfter(options_.ack_timeout) : base::Instant::Never(),
      .expires = now + kAckTimeoutsKept * options_.ack_timeout,
      .forgotten_at = now + LongestTrial(options_)};
  relays_.push_back(relay);
  due_ = std::min({due_, relay.again_at, relay.nack_at});
}

// A target that was asleep answers long after its asker gave up, and may be on trial here.
void Relays::MakeRoom(base::Instant now) {
  const bool full = relays_.size() >= kRelaysMax;
  std::erase_if(relays_, [&](const Relay& relay) {
    return (full ? relay.expires : relay.forgotten_at) <= now;
  });
}

void Relays::OnAck(base::Instant now, std::uint64_t nonce) {
  const auto found = std::ranges::find(relays_, nonce, &Relay::nonce);
  if (found == relays_.end()) return;
  Relay& relay = *found;
  membership_.Vouch(now, relay.target);
  if (now < relay.expires && !relay.answered)
    courier_.Reply(now, relay.asked.from, Ack{relay.origin_nonce}, relay.asked);
  relays_.erase(found);
}

void Relays::OnTick(base::Instant now) {
  if (now < due_) return;
  due_ = base::Instant::Never();
  for (Relay& relay : relays_) {
    if (now >= relay.again_at) {
      relay.again_at = base::Instant::Never();
      const Ping ping{relay.nonce, relay.target};
      courier_.Reply(now, relay.address, ping, relay.asked, {}, 1);
    }
    if (now >= relay.nack_at) {
      relay.nack_at = base::Instant::Never();
      relay.answered = true;
      courier_.Reply(now, relay.asked.from, Nack{relay.origin_nonce}, relay.asked);
    }
    due_ = std::min({due_, relay.again_at, relay.nack_at});
  }
}

void Relays::Forget() {
  for (Relay& relay : relays_) {
    relay.answered = true;
    relay.again_at = relay.nack_at = base::Instant::Never();
  }
  due_ = base::Instant::Never();
}

}  // namespace starling::gossip
