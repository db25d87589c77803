// gossip/prober.cc: the rounds of probes, and our part in those of others.
#include "gossip/prober.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace starling::gossip {
namespace {

constexpr std::size_t kProbesMax = 64;   // Beyond it, those to be asked wait for their turn.
constexpr std::size_t kRelaysMax = 256;  // Beyond it, requests of others are ignored.
constexpr int kAckTimeoutsPerProbe = 3;  // One for the ping, two for the longer ways.

}  // namespace

Prober::Prober(const GossipOptions& options, Membership& membership, Courier& courier,
               base::Random& random, Counters& counters, base::Instant now)
    : options_(options),
      membership_(membership),
      courier_(courier),
      random_(random),
      counters_(counters),
      next_round_(now + base::Duration(random.Between(0, options.probe_interval.count()))) {}

void Prober::ProbeNow(base::Instant now, base::HostId host) {
  if (membership_.left()) return;
  const MemberInfo* member = membership_.Find(host);
  if (member == nullptr || IsGone(member->liveness)) return;
  if (Probe* probe = FindProbe(host)) {
    AskStream(*probe);
  } else if (probes_.size() < kProbesMax) {
    Start(now, *member, Urgency::kAtOnce, AccusationOf(now, host));
  }
}

void Prober::Ask(base::Instant now, const Claim& accusation) {
  if (membership_.left() || FindProbe(accusation.host) != nullptr) return;
  waiting_.insert_or_assign(accusation.host, accusation);
  StartWaiting(now);
}

void Prober::StartWaiting(base::Instant now) {
  while (!waiting_.empty() && probes_.size() < kProbesMax) {
    Claim accusation = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    const MemberInfo* member = membership_.Find(accusation.host);
    // By now it may have refuted, or be known as dead.
    if (member == nullptr || IsGone(member->liveness) || !Supersedes(accusation, *member)) continue;
    if (FindProbe(accusation.host) != nullptr) continue;
    accusation.metadata.clear();  // Its subject knows it.
    Start(now, *member, Urgency::kRound, {std::move(accusation)});
  }
}

void Prober::Greet(base::Instant now, const MemberInfo& member) {
  std::vector<Claim> claims = AccusationOf(now, member.host);
  claims.push_back(ClaimOf(membership_.self(), now));  // It may hold us for dead, too.
  courier_.Send(now, member.address, Ping{random_.Next(), member.host}, std::move(claims));
}

// What the host should know first: that it is not seen as alive. Without metadata, which is its
// own.
std::vector<Claim> Prober::AccusationOf(base::Instant now, base::HostId host) const {
  const MemberInfo* member = membership_.Find(host);
  if (member == nullptr || member->liveness == Liveness::kAlive) return {};
  Claim claim = ClaimOf(*member, now);
  claim.metadata.clear();
  return {std::move(claim)};
}

void Prober::Start(base::Instant now, const MemberInfo& member, Urgency urgency,
                   std::vector<Claim> claims) {
  ++counters_.probes;
  Probe& probe =
      probes_.emplace_back(Probe{.nonce = random_.Next(),
                                 .host = member.host,
                                 .generation = member.generation,
                                 .address = member.address,
                                 .helpers_at = now + options_.ack_timeout,
                                 .fails_at = now + kAckTimeoutsPerProbe * options_.ack_timeout});
  courier_.Send(now, probe.address, Ping{probe.nonce, probe.host}, std::move(claims));
  if (urgency == Urgency::kAtOnce) AskStream(probe);
}

void Prober::AskStream(Probe& probe) {
  if (std::exchange(probe.asked_stream, true)) return;
  courier_.Ask(probe.address, probe.host, Ping{probe.nonce, probe.host});
}

void Prober::AskHelpers(base::Instant now, Probe& probe) {
  if (std::exchange(probe.asked_helpers, true)) return;
  const PingRequest request{probe.nonce, probe.host, probe.address};
  for (const MemberInfo* helper : membership_.DrawAlive(options_.indirect_helpers, probe.host))
    courier_.Send(now, helper->address, request);
  AskStream(probe);
}

void Prober::OnPing(base::Instant now, base::Address from, const Header& header, const Ping& ping) {
  if (ping.target != membership_.self().host) return;
  courier_.Send(now, from, Ack{ping.nonce}, AccusationOf(now, header.from));
}

std::string Prober::OnStreamPing(base::Instant now, const Header& header, const Ping& ping) {
  if (ping.target != membership_.self().host) return {};
  return courier_.Answer(Ack{ping.nonce}, AccusationOf(now, header.from));
}

void Prober::OnAck(base::Instant now, const Ack& ack) {
  if (std::erase_if(probes_, [&](const Probe& probe) { return probe.nonce == ack.nonce; }) > 0) {
    StartWaiting(now);
    return;
  }
  const auto relay = relays_.find(ack.nonce);
  if (relay == relays_.end()) return;
  if (now < relay->second.expires)
    courier_.Send(now, relay->second.origin, Ack{relay->second.origin_nonce});
  relays_.erase(relay);
}

void Prober::OnPingRequest(base::Instant now, base::Address from, const PingRequest& request) {
  std::erase_if(relays_, [&](const auto& entry) { return entry.second.expires <= now; });
  if (relays_.size() >= kRelaysMax || request.target == membership_.self().host) return;
  const std::uint64_t nonce = random_.Next();
  relays_[nonce] = {from, request.nonce, now + kAckTimeoutsPerProbe * options_.ack_timeout};
  courier_.Send(now, request.address, Ping{nonce, request.target},
                AccusationOf(now, request.target));
}

void Prober::OnStreamRefused(base::Instant now, base::Address address) {
  for (Probe& probe : probes_) {
    if (probe.address == address && probe.asked_stream) probe.refused = true;
  }
  OnTick(now);
}

void Prober::OnTick(base::Instant now) {
  for (std::size_t at = 0; at < probes_.size();) {
    Probe& probe = probes_[at];
    if (now >= probe.fails_at || (probe.refused && now >= probe.helpers_at)) {
      const Probe failed = probe;
      probes_.erase(probes_.begin() + static_cast<std::ptrdiff_t>(at));
      Fail(now, failed);
      continue;
    }
    if (now >= probe.helpers_at) AskHelpers(now, probe);
    ++at;
  }
  StartWaiting(now);
  if (now < next_round_) return;
  next_round_ = std::max(next_round_ + options_.probe_interval, now);
  if (membership_.left()) return;
  const std::optional<base::HostId> host = membership_.NextToProbe();
  if (host && FindProbe(*host) == nullptr && probes_.size() < kProbesMax)
    Start(now, *membership_.Find(*host), Urgency::kRound, AccusationOf(now, *host));
}

void Prober::Fail(base::Instant now, const Probe& probe) {
  ++counters_.probes_failed;
  membership_.Suspect(now, probe.host, probe.generation,
                      probe.refused
                          ? "no ack, and its port refuses connections"
                          : fmt::format("no ack within {} ms, directly or through others",
                                        base::ToMs(kAckTimeoutsPerProbe * options_.ack_timeout)));
}

base::Instant Prober::next_tick() const {
  base::Instant next = next_round_;
  for (const Probe& probe : probes_) {
    const bool at_helpers = probe.refused || !probe.asked_helpers;
    next = std::min(next, at_helpers ? probe.helpers_at : probe.fails_at);
  }
  return next;
}

void Prober::Slept(base::Instant now) {
  probes_.clear();
  relays_.clear();
  next_round_ = now;
}

Prober::Probe* Prober::FindProbe(base::HostId host) {
  const auto found = std::find_if(probes_.begin(), probes_.end(),
                                  [&](const Probe& probe) { return probe.host == host; });
  return found == probes_.end() ? nullptr : &*found;
}

}  // namespace starling::gossip
