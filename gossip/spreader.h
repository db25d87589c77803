// gossip/spreader.h: sends what waits, claims and rumors, to the next members each interval.
//
// When rumors become old enough for the digest, that is told as well, to as many members as a rumor
// is: whom push left out need not wait for a ping to find out.
// A node with nothing to tell sends nothing. One that was idle sends at once: news travels
// hop by hop without waiting for an interval, and the interval then bounds what a node sends.
// Who becomes unreachable is told of before: it was news as a suspect a moment ago, and routing
// would wait for a whole interval. So there are rounds of claims alone in between, and since each
// claim is sent a number of times, there are so many fewer after them.
//
// Thread: confined to one thread.
#pragma once

#include <cstdint>
#include <optional>

#include "base/random.h"
#include "base/time.h"
#include "gossip/courier.h"
#include "gossip/exchange.h"
#include "gossip/membership.h"
#include "gossip/message.h"
#include "gossip/options.h"
#include "gossip/rumors.h"

namespace starling::gossip {

class Spreader {
 public:
  // The references outlive this.
  Spreader(const GossipOptions& options, Membership& membership, Rumors& rumors, Exchange& exchange,
           Courier& courier, base::Random& random);
  Spreader(const Spreader&) = delete;
  Spreader& operator=(const Spreader&) = delete;

  // Takes the rumors of a Spread, and answers which were known. (Its claims are heard already.)
  void OnSpread(base::Instant now, Asked& asked, const Message& message, const Spread& spread);

  void OnTick(base::Instant now);
  base::Instant next_tick() const;

 private:
  struct Cargo {
    bool claims;
    bool rumors;
  };
  base::Instant next_round() const;
  base::Instant next_hurried() const;
  base::Instant next_digest() const;
  void TellNews(base::Instant now);
  void TellAll(base::Instant now, std::size_t for_claims, std::size_t for_rumors);
  void TellDigest(base::Instant now);
  void TellOne(base::Instant now, const Member& member, Cargo cargo);

  const GossipOptions& options_;
  Membership& membership_;
  Rumors& rumors_;
  Exchange& exchange_;
  Courier& courier_;
  base::Random& random_;

  std::optional<base::Instant> last_round_;
  std::optional<base::Instant> last_hurried_;
  std::optional<base::Instant> last_digest_;
  std::uint32_t digest_tellings_left_ = 0;
  // Alternates, so that neither can starve the other: a rumor may be too large for its share.
  bool rumors_first_ = false;
};

}  // namespace starling::gossip
