#include "gossip/refusals.h"

#include <fmt/core.h>

#include <utility>

#include "base/check.h"

namespace starling::gossip {
namespace {

constexpr base::Duration kReportGap = base::seconds(10);

std::string NameOf(const Sender& from) {
  if (from.way == Sender::Way::kDatagram) return from.address.ToString();
  return from.address.ip == 0 ? "a stream" : "a stream of " + from.address.IpString();
}

// Whether it is time to tell of a kind again.
bool IsDue(base::Instant now, std::optional<base::Instant>& last) {
  if (last && now - *last < kReportGap) return false;
  last = now;
  return true;
}

}  // namespace

void Refusals::Tell(base::Instant now, const Sender& from, const Envelope::Opened& opened,
                    const Envelope& envelope) {
  switch (opened.verdict) {
    case Envelope::Verdict::kOtherCluster: return TellOtherCluster(now, from, envelope);
    case Envelope::Verdict::kOtherVersion: return TellOtherVersion(now, from, opened.version);
    case Envelope::Verdict::kUnsealed:
    case Envelope::Verdict::kUnknownKey:
    case Envelope::Verdict::kBroken: return TellUnopened(now, from, opened);
    case Envelope::Verdict::kOpened:
    case Envelope::Verdict::kNoPacket: break;
  }
  CHECK(false);
}

void Refusals::TellMalformed(base::Instant now, const Sender& from, const base::Status& why) {
  if (!IsDue(now, last_malformed_)) return;
  Say(Event::kMalformed, from,
      fmt::format("a packet from {} is refused: {}", NameOf(from), why.message()));
}

void Refusals::TellOtherCluster(base::Instant now, const Sender& from, const Envelope& envelope) {
  ++counters_.other_cluster;
  if (!IsDue(now, last_mismatch_)) return;
  Say(Event::kClusterMismatch, from,
      fmt::format("a packet from {} is of another cluster than '{}'", NameOf(from),
                  envelope.cluster_name()));
}

void Refusals::TellOtherVersion(base::Instant now, const Sender& from, std::uint8_t version) {
  ++counters_.rejected;
  const std::uint16_t port = from.way == Sender::Way::kDatagram ? from.address.port : 0;
  if (!told_versions_.Take(now, base::Address{from.address.ip, port})) return;
  Say(Event::kOtherVersion, from,
      fmt::format("a packet from {} has format version {}, and this release reads 1 and 2: is that "
                  "node of a newer one?",
                  NameOf(from), version));
}

void Refusals::TellUnopened(base::Instant now, const Sender& from, const Envelope::Opened& opened) {
  const bool unsealed = opened.verdict == Envelope::Verdict::kUnsealed;
  ++(unsealed ? counters_.unsealed : counters_.unopened);
  if (!IsDue(now, last_unopened_)) return;
  const std::string key = opened.way ? PrintKeyId(*opened.way) : "";
  if (unsealed)
    return Say(Event::kUnopened, from, fmt::format("a packet from {} is not sealed", NameOf(from)));
  if (opened.verdict == Envelope::Verdict::kUnknownKey)
    return Say(Event::kUnopened, from,
               fmt::format("a packet from {} is sealed with key {}, which is not installed here",
                           NameOf(from), key));
  Say(Event::kUnopened, from,
      fmt::format("a packet from {} has a broken seal of key {}", NameOf(from), key));
}

void Refusals::Say(Event::Kind kind, const Sender& from, std::string reason) {
  Event event{.kind = kind, .reason = std::move(reason)};
  event.member.address = from.address;
  outputs_.events.push_back(std::move(event));
}

}  // namespace starling::gossip
