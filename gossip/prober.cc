// gossip/prober.cc: the rounds of probes, and our part in those of others.
#include "gossip/prober.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/mutants.h"
#include "gossip/suspicion.h"

namespace starling::gossip {
namespace {

constexpr std::size_t kFormerMax = 256;  // Hosts whose vitals outlive their membership.
// Of a silent member, from when it should have answered: each lost ping would else be a lost probe.
constexpr int kPingsPerAckTimeout = 3;

}  // namespace

Prober::Prober(const GossipOptions& options, Membership& membership, Courier& courier,
               base::Random& random, Counters& counters, base::Instant now)
    : options_(options),
      membership_(membership),
      courier_(courier),
      random_(random),
      counters_(counters),
      next_round_(now + base::Duration(random.Between(0, options.probe_interval.count()))),
      relays_(options, membership, courier, random) {
  next_guard_.fill(base::Instant::Never());
  if (!options.features().guards) return;
  for (std::size_t circle = 0; circle < options.guards; ++circle)
    next_guard_[circle] = now + base::Duration(random.Between(0, options.probe_interval.count()));
}

void Prober::ProbeNow(base::Instant now, base::HostId host) {
  if (membership_.left()) return;
  const std::optional<Member> member = membership_.Find(host);
  if (!member || IsGone(member->liveness)) return;
  if (Probe* probe = probes_.Of(host)) {
    AskStream(*probe);
  } else if (!probes_.full()) {
    Start(now, *member, Urgency::kAtOnce, membership_.AccusationOf(now, host));
  }
}

void Prober::Ask(base::Instant now, const Claim& accusation) {
  if (membership_.left() || probes_.Of(accusation.host) != nullptr) return;
  Claim& waiting = waiting_.insert_or_assign(accusation.host, accusation).first->second;
  waiting.metadata = {};  // Its subject knows it.
  StartWaiting(now);
}

void Prober::StartWaiting(base::Instant now) {
  while (!waiting_.empty() && !probes_.full()) {
    const Claim accusation = waiting_.begin()->second;
    waiting_.erase(waiting_.begin());
    const std::optional<Member> member = membership_.Find(accusation.host);
    // By now it may have refuted, or be known as dead.
    if (!member || IsGone(member->liveness) || !Supersedes(accusation, *member)) continue;
    if (probes_.Of(accusation.host) != nullptr) continue;
    Start(now, *member, Urgency::kRound, accusation);
  }
}

void Prober::Greet(base::Instant now, const Member& member) {
  // It may hold us for dead, too.
  const std::array claims = {membership_.ClaimToItself(member, now),
                             ClaimOf(ViewOf(membership_.self()), now)};
  const std::size_t untold = options_.features().buddy_notice ? 0 : 1;
  courier_.Send(now, member.address, Ping{random_.Next(), member.host},
                std::span(claims).subspan(untold));
}

void Prober::Start(base::Instant now, const Member& member, Urgency urgency,
                   const std::optional<Claim>& accusation, std::optional<Asked> by) {
  const Ping ping{random_.Next(), member.host};
  if (!by) {
    courier_.Send(now, member.address, ping, AsSpan(accusation));
  } else {
    if (!courier_.Reply(now, member.address, ping, *by, AsSpan(accusation),
                        std::size_t{kPingsPerAckTimeout}))
      return;
  }
  ++counters_.probes;
  const base::Duration ack_timeout = membership_.health().Scale(options_.ack_timeout);
  // The classic probe fails when the next one is due.
  const base::Duration whole = eager() ? kAckTimeoutsPerProbe * ack_timeout
                                       : membership_.health().Scale(options_.probe_interval);
  const bool confirming = urgency == Urgency::kConfirm;
  const base::Duration again_gap = ack_timeout / kPingsPerAckTimeout;
  Probe& probe = probes_.Add({.nonce = ping.nonce,
                              .host = member.host,
                              .generation = member.generation,
                              .address = member.address,
                              .began = now,
                              .helpers_at = confirming ? now : now + ack_timeout,
                              .again_at = now + (confirming ? again_gap : ack_timeout),
                              .again_gap = again_gap,
                              .fails_at = now + (confirming ? ack_timeout : whole),
                              .confirming = confirming,
                              .asked_helpers = confirming,
                              .by = by});
  if (urgency != Urgency::kRound) AskStream(probe);
}

void Prober::AskStream(Probe& probe) {
  if (std::exchange(probe.asked_stream, true)) return;
  if (base::Mutant("gossip-stream-unasked")) return;
  const Ping ping{probe.nonce, probe.host};
  if (probe.by)
    courier_.AskFor(*probe.by, probe.address, probe.host, ping);
  else
    courier_.Ask(probe.address, probe.host, ping);
}

void Prober::AskHelpers(base::Instant now, Probe& probe) {
  if (std::exchange(probe.asked_helpers, true)) return;
  const PingRequest request{probe.nonce, probe.host, probe.address};
  for (const Member& helper : membership_.DrawAlive(options_.indirect_helpers, probe.host)) {
    courier_.Send(now, helper.address, request);
    probe.helpers.push_back(helper.host);
  }
  if (std::exchange(probe.stream_lost, false)) probe.asked_stream = false;
  AskStream(probe);
}

// Under loss p all of n + 1 pings and acks are lost with (1-(1-p)^2)^(n+1). A member that is gone
// costs n packets more, once.
void Prober::PingAgain(base::Instant now, Probe& probe) {
  probe.again_at = now + probe.again_gap;
  const Ping ping{probe.nonce, probe.host};
  if (probe.by)
    courier_.Reply(now, probe.address, ping, *probe.by, {}, 1);
  else
    courier_.Send(now, probe.address, ping, AsSpan(membership_.AccusationOf(now, probe.host)));
}

// How the sender is seen, if it is accused; and that it is alive in newer words than it says
// itself, as when another node says them in its name: the two would not hear of each other.
Ack Prober::AckTo(const Header& sender, std::uint64_t nonce) const {
  const std::optional<Standing> member = membership_.StandingOf(sender.from);
  if (!options_.features().acks_tell || !member) return {.nonce = nonce, .vitals = own_vitals_};
  if (member->liveness == Liveness::kAlive && !IsNewer(*member, sender))
    return {.nonce = nonce, .vitals = own_vitals_};
  return {.nonce = nonce,
          .seen_as = member->liveness,
          .generation = member->generation,
          .incarnation = member->incarnation};
}

void Prober::OnPing(base::Instant now, Asked& asked, const Header& header, const Ping& ping) {
  if (ping.target != membership_.self().host) return;
  courier_.Reply(now, asked.from, AckTo(header, ping.nonce), asked);
}

std::string Prober::OnStreamPing(const Header& header, const Ping& ping) {
  if (ping.target != membership_.self().host) return {};
  return courier_.Answer(AckTo(header, ping.nonce));
}

std::optional<base::HostId> Prober::OnAck(base::Instant now, const Header& header, const Ack& ack,
                                          Way way) {
  if (const Probe* const answered = probes_.ByNonce(ack.nonce)) {
    const base::HostId host = answered->host;
    NoteAnswer(now, *answered, way);
    if (header.from == host) {
      NoteVitals(now, header, ack.vitals);
      membership_.Meet(host);
    }
    membership_.Vouch(now, host);
    membership_.health().Better();
    probes_.End(answered);
    StartWaiting(now);
    return round_trips_.StreamOnly(host) ? std::optional(host) : std::nullopt;
  }
  const auto late = std::ranges::find(failed_, ack.nonce, &Failed::nonce);
  if (late != failed_.end()) {
    if (now < late->forgotten_at) membership_.Vouch(now, late->host);
    failed_.erase(late);
    return std::nullopt;
  }
  relays_.OnAck(now, ack.nonce);
  return std::nullopt;
}

// Of a probe that asked the stream from the start, a stream's answer says nothing about datagrams:
// it may only have been faster.
void Prober::NoteAnswer(base::Instant now, const Probe& probe, Way way) {
  const bool datagrams_silent = probe.asked_helpers && !probe.confirming;
  if (way == Way::kStream) {
    if (datagrams_silent) round_trips_.AnsweredByStream(now, probe.host);
  } else if (datagrams_silent) {
    round_trips_.AnsweredLate(now, probe.host);
  } else if (!probe.untimed && !probe.confirming) {  // Those are pinged several times.
    round_trips_.Answered(now, probe.host, now - probe.began);
  }
}

// An ack without any had no room for them.
void Prober::NoteVitals(base::Instant now, const Header& header, base::Bytes vitals) {
  if (vitals.empty()) return;
  if (vitals_.size() >= membership_.size() + kFormerMax)
    vitals_.KeepOnly([this](base::HostId host) { return membership_.Find(host).has_value(); });
  vitals_.Hear(now, header.from, header.generation, vitals);
}

void Prober::SetVitals(std::string vitals) {
  CHECK(vitals.size() <= kVitalsBytesMax);
  own_vitals_ = std::move(vitals);
}

const Vitals* Prober::VitalsOf(base::HostId host) const {
  const std::optional<Member> member = membership_.Find(host);
  return member ? vitals_.Of(host, member->generation) : nullptr;
}

void Prober::OnNack(base::Instant now, const Header& header, const Nack& nack) {
  for (Probe* const probe : probes_.all()) {
    // Of each helper once: a packet may come twice, and others may have seen the nonce.
    if (probe->nonce != nack.nonce || std::erase(probe->helpers, header.from) == 0) continue;
    ++counters_.nacks;
    probe->witnesses.Add(membership_.AsAccuser(header.from));
    // All ways were tried: what is left of the time would bring nothing.
    if (eager() && probe->helpers.empty()) probe->fails_at = std::min(probe->fails_at, now);
  }
}

void Prober::OnConfirm(base::Instant now, Asked asked, const Confirm& confirm) {
  const std::optional<Member> member = membership_.Find(confirm.target);
  if (!confirms() || membership_.left() || !member || IsGone(member->liveness)) return;
  if (Probe* probe = probes_.Of(confirm.target)) {
    if (!probe->by) AskStream(*probe);
  } else if (!probes_.full()) {
    Start(now, *member, Urgency::kConfirm, membership_.AccusationOf(now, confirm.target), asked);
  }
}

void Prober::OnStreamRefused(base::Instant now, base::Address address) {
  if (!eager()) return;
  for (Probe* const probe : probes_.all()) {
    if (probe->address == address && probe->asked_stream) probe->refused = true;
  }
  OnTick(now);
}

void Prober::OnStreamLost(base::Address address) {
  for (Probe* const probe : probes_.all())
    if (probe->address == address && probe->asked_stream) probe->stream_lost = true;
}

void Prober::OnTick(base::Instant now) {
  for (std::size_t at = 0; at < probes_.all().size();) {
    Probe& probe = *probes_.all()[at];
    if (now >= probe.fails_at || (probe.refused && now >= probe.helpers_at)) {
      Fail(now, probes_.End(&probe));
      continue;
    }
    if (now >= probe.helpers_at) AskHelpers(now, probe);
    if (eager() && now >= probe.again_at) PingAgain(now, probe);
    ++at;
  }
  relays_.OnTick(now);
  StartWaiting(now);
  StartRounds(now);
}

void Prober::StartRounds(base::Instant now) {
  const base::Duration interval = membership_.health().Scale(options_.probe_interval);
  for (std::size_t circle = 0; circle < kGuardsMax; ++circle) {
    if (now < next_guard_[circle]) continue;
    next_guard_[circle] = std::max(next_guard_[circle] + interval, now);
    const std::optional<base::HostId> guarded = membership_.Guarded(circle);
    if (guarded) StartRound(now, membership_.Find(*guarded));
  }
  if (now < next_round_) return;
  next_round_ = std::max(next_round_ + interval, now);
  if (!membership_.left()) StartRound(now, membership_.NextToProbe());
}

void Prober::StartRound(base::Instant now, const std::optional<Member>& member) {
  if (!member || membership_.left() || probes_.full()) return;
  if (probes_.Of(member->host) != nullptr) return;
  Start(now, *member, Urgency::kRound, membership_.AccusationOf(now, member->host));
}

void Prober::Fail(base::Instant now, const Probe& probe) {
  ++counters_.probes_failed;
  if (failed_.size() == Probes::kMax) failed_.erase(failed_.begin());
  failed_.push_back({probe.nonce, probe.host, now + LongestTrial(options_)});
  // Helpers that did not even say nack point at this node; one without helpers can't tell. A
  // refusal came from the other host: this node is connected.
  if (!probe.refused && !probe.confirming)
    membership_.health().Worse(options_.indirect_helpers > 0 && probe.asked_helpers
                                   ? static_cast<std::int64_t>(probe.helpers.size())
                                   : 1);
  Membership::Accusation accusation{.host = probe.host, .generation = probe.generation};
  if (options_.features().dogpile)
    accusation.accusers.Add(membership_.AsAccuser(membership_.self().host));
  if (confirms()) {
    for (const Accuser& witness : probe.witnesses.all()) accusation.accusers.Add(witness);
  }
  const std::string reason = probe.refused
                                 ? std::string("no ack, and its port refuses connections")
                                 : fmt::format("no ack within {} ms, directly or through others",
                                               base::ToMs(now - probe.began));
  accusation.reason = reason;
  membership_.Accuse(now, accusation);
  if (confirms() && !probe.confirming) AskToConfirm(now, probe.host);
}

void Prober::AskToConfirm(base::Instant now, base::HostId host) {
  const std::optional<Member> member = membership_.Find(host);
  if (!member || member->liveness != Liveness::kSuspect) return;
  for (const Member& other : membership_.DrawConfirmers(options_.confirmers, host)) {
    ++counters_.confirms;
    courier_.Send(now, other.address, Confirm{host}, AsSpan(membership_.AccusationOf(now, host)));
  }
}

base::Instant Prober::next_tick() const {
  base::Instant next = next_round_;
  for (const base::Instant guard : next_guard_) next = std::min(next, guard);
  for (const Probe* const probe : probes_.all()) {
    const bool at_helpers = probe->refused || !probe->asked_helpers;
    next = std::min({next, at_helpers ? probe->helpers_at : probe->fails_at, probe->fails_at});
    if (eager()) next = std::min(next, probe->again_at);
  }
  return std::min(next, relays_.next_tick());
}

void Prober::Late(base::Instant now) {
  for (Probe* const probe : probes_.all()) {
    probe->untimed = true;
    probe->helpers_at = now + options_.ack_timeout;
    probe->again_at = probe->helpers_at;
    probe->fails_at = now + kAckTimeoutsPerProbe * options_.ack_timeout;
    probe->asked_helpers = probe->confirming;
    probe->helpers.clear();
    probe->witnesses = {};
  }
  relays_.Forget();
}

void Prober::Slept(base::Instant now) {
  Late(now);
  next_round_ = now;
}

}  // namespace starling::gossip
