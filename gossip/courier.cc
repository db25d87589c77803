// gossip/courier.cc: filling packets up to what they may hold.
#include "gossip/courier.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/mutants.h"

namespace starling::gossip {
namespace {

// False if `packet` would be larger than `size_max`; it is then as before.
bool AppendWithin(std::size_t size_max, const Claim& claim, std::string& packet) {
  const std::size_t before = packet.size();
  AppendClaim(claim, packet);
  if (packet.size() <= size_max) return true;
  packet.resize(before);
  return false;
}

}  // namespace

void Courier::Start(const Body& body, std::span<const Claim> claims,
                    const std::vector<RumorItem>& rumors) {
  const MemberInfo& self = membership_.self();
  message_.header = {self.host, self.generation, self.incarnation, rumors_.settled_digest()};
  message_.body = body;
  message_.claims.assign(claims.begin(), claims.end());
  message_.rumors = rumors;
}

// For a datagram: what an earlier one took.
std::string Courier::Room() {
  std::string room;
  if (outputs_.spare.empty()) {
    room.reserve(options_.datagram_bytes_max);
  } else {
    room = std::move(outputs_.spare.back());
    outputs_.spare.pop_back();
  }
  return room;
}

void Courier::AddAlong(base::Instant now, std::size_t size_max, std::string& packet) {
  membership_.OfferUpdates(
      now, [&](const Claim& claim) { return AppendWithin(size_max, claim, packet); });
}

void Courier::Send(base::Instant now, base::Address to, const Body& body,
                   std::span<const Claim> claims) {
  const Envelope::Way way = envelope_.way();
  Start(body, claims, {});
  std::string packet = Room();
  envelope_.Begin(way, packet);
  Encode(message_, packet);
  AddAlong(now, options_.datagram_bytes_max - Envelope::TailBytes(way), packet);
  Post(to, way, std::move(packet));
}

bool Courier::Reply(base::Instant now, base::Address to, const Body& body, Asked& asked,
                    std::span<const Claim> claims, std::size_t more) {
  if (base::Mutant("gossip-large-reply")) {
    Send(now, to, body, claims);
    return true;
  }
  if (!envelope_.Has(asked.way)) return false;  // Its key was removed meanwhile.
  const std::size_t tail = Envelope::TailBytes(asked.way);
  const std::size_t left = std::min(asked.bytes, options_.datagram_bytes_max);
  if (left < tail) return false;
  const std::size_t size_max = left - tail;
  Start(body, {}, {});
  std::string packet = Room();
  envelope_.Begin(asked.way, packet);
  const std::size_t header = packet.size();
  Encode(message_, packet);
  const auto encode_again = [&] {
    packet.resize(header);
    Encode(message_, packet);
  };
  if (auto* ack = std::get_if<Ack>(&message_.body);
      packet.size() > size_max && ack != nullptr && !ack->vitals.empty()) {
    ack->vitals = {};
    encode_again();
  }
  if (packet.size() > size_max) {  // Others will say which rumors we have.
    message_.header.rumors_digest = 0;
    encode_again();
  }
  const std::optional<Standing> peer = membership_.StandingOf(asked.host);
  const bool dead = peer && IsGone(peer->liveness);
  if (packet.size() > size_max || (dead && !dead_replies_.Take(now, asked.host))) {
    ++counters_.replies_withheld;
    outputs_.spare.push_back(std::move(packet));
    return false;
  }
  const std::size_t kept = tail + more * (packet.size() + tail);
  const std::size_t filled_max = std::min(size_max, asked.bytes - std::min(asked.bytes, kept));
  for (const Claim& claim : claims) AppendWithin(filled_max, claim, packet);
  AddAlong(now, filled_max, packet);
  Post(to, asked.way, std::move(packet));
  const std::size_t bytes = outputs_.datagrams.back().bytes.size();
  CHECK(bytes <= asked.bytes);
  asked.bytes -= bytes;
  return true;
}

bool Courier::AskFor(Asked& asked, base::Address to, base::HostId host, const Body& body) {
  std::string packet = Room();
  Pack(envelope_.way(), body, {}, {}, packet);
  if (packet.size() > asked.bytes) {
    ++counters_.replies_withheld;
    outputs_.Spare(packet);
    return false;
  }
  asked.bytes -= packet.size();
  PostStream(to, host, std::move(packet));
  return true;
}

void Courier::SendAsItIs(base::Address to, const Body& body, std::span<const Claim> claims,
                         const std::vector<RumorItem>& rumors) {
  Start(body, claims, rumors);
  std::string packet = Room();
  envelope_.Begin(envelope_.way(), packet);
  Encode(message_, packet);
  Post(to, envelope_.way(), std::move(packet));
}

void Courier::Post(base::Address to, Envelope::Way way, std::string packet) {
  envelope_.Close(way, packet);
  CHECK(packet.size() <= options_.datagram_bytes_max);
  ++counters_.datagrams_out;
  counters_.datagram_bytes_out += packet.size();
  outputs_.datagrams.push_back({to, std::move(packet)});
}

void Courier::Ask(base::Address to, std::optional<base::HostId> host, const Body& body,
                  std::span<const Claim> claims, const std::vector<RumorItem>& rumors) {
  std::string packet = rumors.empty() && claims.size() <= 1 ? Room() : std::string();
  Pack(envelope_.way(), body, claims, rumors, packet);
  PostStream(to, host, std::move(packet));
}

void Courier::PostStream(base::Address to, std::optional<base::HostId> host, std::string packet) {
  ++counters_.streams_out;
  counters_.stream_bytes_out += packet.size();
  outputs_.streams.push_back({to, host, std::move(packet)});
}

std::string Courier::Answer(const Body& body, std::span<const Claim> claims,
                            const std::vector<RumorItem>& rumors) {
  std::string packet;
  Pack(answer_way_, body, claims, rumors, packet);
  counters_.stream_bytes_out += packet.size();
  return packet;
}

void Courier::Pack(Envelope::Way way, const Body& body, std::span<const Claim> claims,
                   const std::vector<RumorItem>& rumors, std::string& packet) {
  Start(body, claims, rumors);
  envelope_.Begin(way, packet);
  Encode(message_, packet);
  envelope_.Close(way, packet);
  ClearItems(message_);
}

}  // namespace starling::gossip
