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

// Of a stream the host counts: its port is another with each connection.
struct Sender {
  enum class Way : std::uint8_t { kDatagram, kStream };
  base::Address address{};  // {}: not known, of a stream.
  Way way = Way::kDatagram;
};

class Refusals {
 public:
  Refusals(Outputs& outputs, Counters& counters) : outputs_(outputs), counters_(counters) {}

  // REQUIRES: `opened` was neither opened nor no packet at all.
  void Tell(base::Instant now, const Sender& from, const Envelope::Opened& opened,
            const Envelope& envelope);
  // It could be opened, and not read. Its counter is the caller's.
  void TellMalformed(base::Instant now, const Sender& from, const base::Status& why);

 private:
  static constexpr std::size_t kToldVersionsMax = 16;  // A minute.

  void TellOtherCluster(base::Instant now, const Sender& from, const Envelope& envelope);
  void TellOtherVersion(base::Instant now, const Sender& from, std::uint8_t version);
  void TellUnopened(base::Instant now, const Sender& from, const Envelope::Opened& opened);
  void Say(Event::Kind kind, const Sender& from, std::string reason);

  Outputs& outputs_;
  Counters& counters_;
  std::optional<base::Instant> last_mismatch_, last_unopened_, last_malformed_;
  OnceEach<base::Address> told_versions_{base::seconds(60), kToldVersionsMax};
};

}  // namespace starling::gossip
