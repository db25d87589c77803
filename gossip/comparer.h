// gossip/comparer.h: finds and pulls the rumors that push left out.
//
// Every datagram says its sender's digest. Where that shows a difference, its receiver asks the
// sender over a stream which rumors those are, bucket by bucket, and pulls what it lacks. If it is
// the other that lacks something, that one finds out by the answer to some packet of its own.
//
// Thread:    confined to one thread.
// Read next: gossip/settled_digest.h, gossip/rumors.h
#pragma once

#include <optional>
#include <string>

#include "base/time.h"
#include "gossip/courier.h"
#include "gossip/exchange.h"
#include "gossip/membership.h"
#include "gossip/message.h"
#include "gossip/rumors.h"

namespace starling::gossip {

class Comparer {
 public:
  // The references outlive this.
  Comparer(Membership& membership, Rumors& rumors, Exchange& exchange, Courier& courier)
      : membership_(membership), rumors_(rumors), exchange_(exchange), courier_(courier) {}
  Comparer(const Comparer&) = delete;
  Comparer& operator=(const Comparer&) = delete;

  // Of a datagram whose own rumors are heard already.
  void OnHeader(const Header& header) {
    // 0: it has none that is old enough, or its packet had no room to say. Nothing to pull.
    if (membership_.left() || header.rumors_digest == 0) return;
    const std::optional<Member> peer = membership_.Find(header.from);
    if (!peer || !rumors_.WantsToCompare(header.rumors_digest)) return;
    courier_.Ask(peer->address, peer->host, RumorSync{rumors_.digests()});
  }

  // The request, and its answer.
  std::string OnRumorSync(const RumorSync& sync) {
    return courier_.Answer(RumorState{}, {}, rumors_.Differing(sync.digests));
  }
  void OnRumorState(base::Instant now, const Message& message) {
    exchange_.HearRumors(now, message.header, message.rumors);
  }

 private:
  Membership& membership_;
  Rumors& rumors_;
  Exchange& exchange_;
  Courier& courier_;
};

}  // namespace starling::gossip
