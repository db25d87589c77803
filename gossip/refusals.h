// gossip/refusals.h: tells of packets that are refused, and how often.
//
// Whoever sends what cannot be opened or read goes on sending it, so each kind is told once in a
// while: by its counter for all, and by an event that names one sender.
//
// Thread:    confined, as its Gossip is.
// Ownership: the outputs and counters outlive it.
// Read next: gossip/envelope.h
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/address.h"
#include "base/status.h"
#include "base/time.h"
#include "gossip/envelope.h"
#include "gossip/once_each.h"
#include "gossip/outputs.h"

namespace starling::gossip {

class Refusals {
 public:
  Refusals(Outputs& outputs, Counters& counters) : outputs_(outputs), counters_(counters) {}

  // REQUIRES: `opened` was neither opened nor no packet at all. `from` without a port: a stream.
  void Tell(base::Instant now, base::Address from, const Envelope::Opened& opened,
            const Envelope& envelope);
  // It could be opened, and not read. Its counter is the caller's.
  void TellMalformed(base::Instant now, base::Address from, const base::Status& why);

 private:
  static constexpr std::size_t kToldVersionsMax = 16;  // A minute.

  void TellOtherCluster(base::Instant now, base::Address from, const Envelope& envelope);
  void TellOtherVersion(base::Instant now, base::Address from, std::uint8_t version);
  void TellUnopened(base::Instant now, base::Address from, const Envelope::Opened& opened);
  void Say(Event::Kind kind, base::Address from, std::string reason);

  Outputs& outputs_;
  Counters& counters_;
  std::optional<base::Instant> last_mismatch_, last_unopened_, last_malformed_;
  OnceEach<base::Address> told_versions_{base::seconds(60), kToldVersionsMax};
};

}  // namespace starling::gossip
