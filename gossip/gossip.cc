// gossip/gossip.cc: each input to the part that it concerns.
#include "gossip/gossip.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/mutants.h"

namespace starling::gossip {
namespace {

constexpr std::uint64_t kNonceSeed = 0x6e6f6e6365;  // Nonces draw from a course of their own.
constexpr base::Duration kStreamWarningGap = std::chrono::minutes(5);
constexpr int kAsleepProbeIntervals = 2;
constexpr int kLateAckTimeoutParts = 3;

const GossipOptions& Checked(const GossipOptions& options) {
  CHECK(options.Validate().ok());
  return options;
}

MemberInfo InfoOf(const Self& self, base::Instant now) {
  return {.host = self.host,
          .generation = self.generation,
          .incarnation = 0,
          .address = self.address,
          .domain = self.domain,
          .metadata = self.metadata,
          .liveness = Liveness::kAlive,
          .since = now};
}

}  // namespace

Gossip::Gossip(const GossipOptions& options, const Self& self, std::uint64_t seed,
               base::Instant now, std::shared_ptr<Roster> roster)
    : options_(Checked(options)),
      random_(seed),
      envelope_(self.cluster_name, self.keyring,
                {self.host, self.generation, base::Mix64(seed ^ kNonceSeed)}),
      membership_(options_, InfoOf(self, now),
                  roster ? std::move(roster) : std::make_shared<Roster>(), random_, outputs_,
                  counters_),
      rumors_(options_, outputs_, counters_),
      passing_(options_, outputs_, counters_),
      courier_(options_, envelope_, membership_, rumors_, outputs_, counters_),
      prober_(options_, membership_, courier_, random_, counters_, now),
      exchange_(options_, membership_, rumors_, passing_, prober_, courier_, random_, now),
      contacts_(options_, membership_, prober_, exchange_, random_, now),
      spreader_(options_, membership_, rumors_, exchange_, courier_, random_),
      passing_spreader_(options_, membership_, passing_, courier_, random_),
      goodbye_(options_, membership_, courier_, random_),
      comparer_(membership_, rumors_, exchange_, courier_),
      refusals_(outputs_, counters_),
      unanswered_(outputs_) {
  CHECK(!self.host.empty());
  CHECK(self.metadata.size() <= options_.metadata_bytes_max);
  membership_.SetVouchedFor(self.keyring.required());
}

void Gossip::Join(base::Instant now, std::span<const base::Address> seeds) {
  if (yielded()) return;
  membership_.Announce();
  contacts_.Join(now, seeds);
}

Gossip::Letter Gossip::Read(base::Instant now, const Sender& from, base::Bytes bytes) {
  const Envelope::Opened opened = envelope_.Open(bytes);
  switch (opened.verdict) {
    case Envelope::Verdict::kOpened: break;
    case Envelope::Verdict::kNoPacket: ++counters_.rejected; return {};
    case Envelope::Verdict::kOtherCluster:
    case Envelope::Verdict::kOtherVersion:
    case Envelope::Verdict::kUnsealed:
    case Envelope::Verdict::kUnknownKey:
    case Envelope::Verdict::kBroken: refusals_.Tell(now, from, opened, envelope_); return {};
  }
  // Our own packets come back from an address of ours among the seeds.
  const base::Status read = Decode(opened.body, options_, message_);
  if (read.ok() && message_.header.from != membership_.self().host) return {&message_, opened.way};
  if (!read.ok()) refusals_.TellMalformed(now, from, read);
  if (read.ok() && from.way == Sender::Way::kStream) unanswered_.ReachedItself();
  ++counters_.rejected;
  ClearItems(message_);
  return {};
}

void Gossip::Restore(base::Instant now, std::span<const Claim> members) {
  for (const Claim& claim : members) membership_.Remember(now, claim);
}

std::optional<MemberInfo> Gossip::Find(base::HostId host) const {
  const std::optional<Member> member = membership_.Find(host);
  if (!member) return std::nullopt;
  return CopyOf(*member);
}

void Gossip::OnDatagram(base::Instant now, base::Address from, base::Bytes bytes) {
  ++counters_.datagrams_in;
  counters_.datagram_bytes_in += bytes.size();
  if (yielded()) return;
  NoticeLateness(now);
  const auto [message, way] = Read(now, {from, Sender::Way::kDatagram}, bytes);
  if (message == nullptr) return;
  Asked asked{from, message->header.from, bytes.size(), way};
  rumors_.Advance(now);
  const bool stranger = IsStranger(from, message->header, way);
  if (stranger)
    StopEars();
  else
    HearNews(now, from, *message);
  if (yielded()) return;
  NoticeSender(now, from, message->header, stranger);
  if (const auto* ping = std::get_if<Ping>(&message->body))
    prober_.OnPing(now, asked, message->header, *ping);
  else if (const auto* ack = std::get_if<Ack>(&message->body))
    OnAck(now, message->header, *ack, Prober::Way::kDatagram);
  else if (const auto* farewell = std::get_if<Farewell>(&message->body))
    courier_.Reply(now, from, Ack{farewell->nonce}, asked);
  else if (const auto* nack = std::get_if<Nack>(&message->body))
    prober_.OnNack(now, message->header, *nack);
  else if (const auto* confirm = std::get_if<Confirm>(&message->body))
    prober_.OnConfirm(now, asked, *confirm);
  else if (const auto* request = std::get_if<PingRequest>(&message->body))
    prober_.OnPingRequest(now, asked, *request);
  else if (const auto* spread = std::get_if<Spread>(&message->body))
    spreader_.OnSpread(now, asked, *message, *spread);
  else if (const auto* feedback = std::get_if<Feedback>(&message->body))
    OnFeedback(*feedback);
  else
    ++counters_.rejected;  // Of a kind that belongs on streams.
  if (!stranger) comparer_.OnHeader(message->header);
}

// Whether nothing speaks for the sender: no seal, and no member of its name at its address. It is
// answered, and may be asked back over a stream, where it would have to be at that address; but a
// datagram's sender costs a forger nothing to write.
bool Gossip::IsStranger(base::Address from, const Header& header, Envelope::Way way) const {
  if (way || !options_.features().strangers_unheard) return false;
  if (base::Mutant("gossip-strangers-heard")) return false;
  const std::optional<Member> member = membership_.Find(header.from);
  return !member || member->address != from;
}

// What a stranger says of others is not heard.
void Gossip::StopEars() {
  if (message_.claims.empty() && message_.rumors.empty()) return;
  ++counters_.strangers;
  ClearItems(message_);
}

void Gossip::HearNews(base::Instant now, base::Address from, const Message& message) {
  HearClaims(now, from, message);
  if (const auto* ack = std::get_if<Ack>(&message.body)) HearHowSeen(now, message.header, *ack);
}

void Gossip::OnFeedback(const Feedback& feedback) {
  if (!passing_.OnFeedback(feedback)) rumors_.OnFeedback(feedback);
}

void Gossip::OnAck(base::Instant now, const Header& header, const Ack& ack, Prober::Way way) {
  if (yielded() || goodbye_.OnAck(header, ack)) return;
  const std::optional<base::HostId> stream_only = prober_.OnAck(now, header, ack, way);
  if (stream_only) WarnOfStreamOnly(now, *stream_only);
}

// Accused, this node refutes. Alive, but with words that it never said: another node says them, and
// a comparison tells which.
void Gossip::HearHowSeen(base::Instant now, const Header& header, const Ack& ack) {
  const MemberInfo& self = membership_.self();
  if (ack.seen_as != Liveness::kAlive) {
    Claim claim = ClaimOf(ViewOf(self), now);
    claim.liveness = ack.seen_as;
    claim.generation = ack.generation;
    claim.incarnation = ack.incarnation;
    membership_.Hear(now, claim, Membership::Source::kGossip);
  } else if (ack.generation != 0 && IsNewer(ack, self)) {
    if (const std::optional<Member> teller = membership_.Find(header.from))
      exchange_.Reunite(now, teller->address, teller->host);
  }
}

void Gossip::WarnOfStreamOnly(base::Instant now, base::HostId host) {
  const std::optional<Member> member = membership_.Find(host);
  if (!member || (last_stream_warning_ && now - *last_stream_warning_ < kStreamWarningGap)) return;
  last_stream_warning_ = now;
  outputs_.events.push_back(
      {.kind = Event::kStreamOnly,
       .member = CopyOf(*member),
       .reason = fmt::format("its stream answers and datagrams do not, so it counts as alive and "
                             "news reaches it late: is UDP to it blocked? {} such members",
                             prober_.round_trips().stream_only())});
}

void Gossip::HearClaims(base::Instant now, base::Address from, const Message& message) {
  for (const Claim& claim : message.claims) {
    const bool by_itself = claim.host == message.header.from && claim.liveness == Liveness::kAlive;
    const std::optional<Member> known =
        by_itself ? membership_.Find(claim.host) : std::optional<Member>();
    const bool was_dead = known && known->liveness == Liveness::kDead;
    const Membership::Heard heard = membership_.Hear(now, claim, Membership::Source::kGossip);
    if (was_dead && heard == Membership::Heard::kTaken) exchange_.Reunite(now, from, claim.host);
  }
}

void Gossip::NoticeSender(base::Instant now, base::Address from, const Header& header,
                          bool stranger) {
  const std::optional<Standing> known = membership_.StandingOf(header.from);
  if (known && !IsNewer(header, *known)) return;
  if (options_.features().news_in_headers) exchange_.MissNewsOf(now, from, header);
  if (stranger) return;
  // It has refuted what it is accused of, though its words did not fit into this packet.
  membership_.Vouch(now, header.from);
}

std::string Gossip::OnStreamRequest(base::Instant now, base::Bytes request, base::Address from) {
  ++counters_.streams_in;
  counters_.stream_bytes_in += request.size();
  if (yielded()) return {};
  NoticeLateness(now);
  const auto [message, way] = Read(now, {from, Sender::Way::kStream}, request);
  if (message == nullptr) return {};
  courier_.AnswerBy(way);
  rumors_.Advance(now);
  std::string answer = Answer(now, *message);
  ClearItems(message_);
  return answer;
}

std::string Gossip::Answer(base::Instant now, const Message& message) {
  if (const auto* ping = std::get_if<Ping>(&message.body))
    return prober_.OnStreamPing(message.header, *ping);
  if (const auto* sync = std::get_if<Sync>(&message.body))
    return exchange_.OnSync(now, message, *sync);
  if (const auto* compare = std::get_if<Compare>(&message.body))
    return exchange_.OnCompare(now, message, *compare);
  if (std::holds_alternative<Push>(message.body)) return exchange_.OnPush(now, message);
  if (std::holds_alternative<Pull>(message.body)) return exchange_.OnPull(message);
  if (const auto* rumor_sync = std::get_if<RumorSync>(&message.body))
    return comparer_.OnRumorSync(*rumor_sync);
  ++counters_.rejected;
  return {};
}

void Gossip::OnStreamReply(base::Instant now, base::Bytes reply, base::Address from) {
  counters_.stream_bytes_in += reply.size();
  if (yielded()) return;
  if (reply.empty()) return unanswered_.OnNothing(now, from, envelope_.way());
  NoticeLateness(now);
  const Message* const message = Read(now, {from, Sender::Way::kStream}, reply).message;
  if (message == nullptr) return;
  unanswered_.OnAnswer();
  rumors_.Advance(now);
  OnAnswer(now, *message);
  ClearItems(message_);
}

void Gossip::OnAnswer(base::Instant now, const Message& message) {
  if (const auto* ack = std::get_if<Ack>(&message.body)) {
    HearNews(now, {}, message);
    if (!yielded()) OnAck(now, message.header, *ack, Prober::Way::kStream);
  } else if (const auto* state = std::get_if<State>(&message.body)) {
    exchange_.OnState(now, message, *state);
  } else if (const auto* difference = std::get_if<Difference>(&message.body)) {
    exchange_.OnDifference(now, message, *difference);
  } else if (std::holds_alternative<Payloads>(message.body)) {
    exchange_.OnPayloads(now, message);
  } else if (std::holds_alternative<RumorState>(message.body)) {
    comparer_.OnRumorState(now, message);
  } else {
    ++counters_.rejected;
  }
}

void Gossip::OnStreamFailed(base::Instant now, base::Address to, StreamFailure failure) {
  if (yielded()) return;
  if (failure == StreamFailure::kOther) return prober_.OnStreamLost(to);
  NoticeLateness(now);
  prober_.OnStreamRefused(now, to);
}

void Gossip::OnTick(base::Instant now) {
  if (yielded()) return;
  rumors_.Advance(now);
  NoticeLateness(now);
  prober_.OnTick(now);
  membership_.OnTick(now);
  exchange_.OnTick(now);
  contacts_.OnTick(now);
  spreader_.OnTick(now);
  passing_spreader_.OnTick(now);
  goodbye_.OnTick(now);
}

// A timer that is late shows that this process, not its peers, was slow. Whatever comes first after
// a stall notices: a loop that was stopped may find its sockets before its timers.
void Gossip::NoticeLateness(base::Instant now) {
  if (!options_.features().lateness) return;
  const base::Instant due = std::max(prober_.next_tick(), noticed_);
  if (now - due <= options_.ack_timeout / kLateAckTimeoutParts) return;
  if (base::Mutant("gossip-sleeper-accuses")) return;
  const base::Instant round = std::max(prober_.next_round(), noticed_);
  noticed_ = now;  // What is due stays so until the timer fires.
  ++counters_.late;
  membership_.health().Worse();
  if (now - round > kAsleepProbeIntervals * options_.probe_interval) {
    ++counters_.slept;
    prober_.Slept(now);
    membership_.Slept(now);
    exchange_.SyncSoon(now);
  } else {
    prober_.Late(now);
    membership_.Late(now - due);
  }
}

base::Instant Gossip::next_tick() const {
  if (yielded()) return base::Instant::Never();
  return std::min({prober_.next_tick(), membership_.next_tick(), exchange_.next_tick(),
                   contacts_.next_tick(), spreader_.next_tick(), passing_spreader_.next_tick(),
                   goodbye_.next_tick()});
}

void Gossip::ReportConnectionLost(base::Instant now, base::HostId host) {
  if (!options_.features().connection_evidence || yielded()) return;
  NoticeLateness(now);
  prober_.ProbeNow(now, host);
}

void Gossip::Publish(base::Instant now, const std::string& key, std::uint64_t version,
                     std::string payload) {
  rumors_.Advance(now);
  CHECK(!IsPassing(key));
  rumors_.Publish(key, version, std::move(payload));
}

bool Gossip::PublishPassing(base::Instant now, const std::string& key, std::uint64_t version,
                            std::string payload) {
  return passing_.Publish(now, key, version, std::move(payload));
}

void Gossip::SetMetadata(base::Instant now, std::string metadata) {
  membership_.SetMetadata(now, std::move(metadata));
}

void Gossip::SetKeyring(const Keyring& keyring) {
  envelope_.SetKeyring(keyring);
  membership_.SetVouchedFor(keyring.required());
}

void Gossip::Leave(base::Instant now) {
  if (membership_.left() || yielded()) return;
  membership_.Leave(now);
  goodbye_.Start(now);
}

Report Gossip::report() const {
  const LocalHealth& health = membership_.health();
  Report report{.self = membership_.self(),
                .health_score = health.score(),
                .probe_interval = health.Scale(options_.probe_interval),
                .ack_timeout = health.Scale(options_.ack_timeout),
                .stream_only = prober_.round_trips().stream_only(),
                .unanswered = unanswered_.in_a_row(),
                .pending_claims = membership_.pending_updates(),
                .hot_rumors = rumors_.hot_count(),
                .counters = counters_,
                .members = {}};
  for (MemberInfo& member : membership_.members()) {
    MemberReport& each = report.members.emplace_back();
    each.round_trip = prober_.round_trips().Of(member.host);
    each.member = std::move(member);
    membership_.AddTrialTo(each);
  }
  return report;
}

}  // namespace starling::gossip
