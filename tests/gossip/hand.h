// tests/gossip/hand.h: one core driven by hand, and what it sent, readable.
#pragma once

#include <deque>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gossip/codec.h"
#include "gossip/gossip.h"
#include "tests/test.h"

namespace starling::gossip {

inline base::Instant At(std::int64_t ms) { return {base::milliseconds(ms)}; }
inline base::HostId Host(std::uint64_t number) { return {0, number}; }
inline base::Address AddressOf(std::uint64_t number) {
  return {0x0a000000 + static_cast<std::uint32_t>(number), 7700};
}

inline constexpr char kCluster[] = "test";

// Rounds so rare that none is near.
inline const GossipOptions kQuiet = {.probe_interval = base::seconds(1000),
                                     .push_pull_interval = base::seconds(1000),
                                     .dead_contact_interval = base::seconds(1000)};

// A view that outlives the test: claims have views only.
inline base::Bytes Kept(std::string bytes) {
  static std::deque<std::string> kept;
  return kept.emplace_back(std::move(bytes));
}

inline Keyring KeyringOf(unsigned char first_byte) { return Keyring(KeyBytes{first_byte}); }

// As a node of the cluster with this keyring sends it; each call is a process of its own.
inline std::string Encoded(const Message& message, const char* cluster = kCluster,
                           const Keyring& keyring = {}) {
  static std::uint64_t processes = 0;
  Envelope envelope(cluster, keyring, {message.header.from, 1, ++processes});
  std::string packet;
  envelope.Begin(envelope.way(), packet);
  Encode(message, packet);
  envelope.Close(envelope.way(), packet);
  return packet;
}
// Of bytes that are kept: a message without its envelope.
inline base::Result<Message> Decoded(base::Bytes bytes) {
  Message message;
  const base::Status status = Decode(Kept(std::string(bytes)), GossipOptions{}, message);
  if (!status.ok()) return base::Fail(status);
  return message;
}
// As a node of the test's cluster with this keyring reads it. It must be able to.
inline Message Opened(const std::string& packet, const Keyring& keyring = {}) {
  Envelope envelope(kCluster, keyring, {Host(1), 1, 0});
  const Envelope::Opened opened = envelope.Open(packet);
  REQUIRE(opened.verdict == Envelope::Verdict::kOpened);
  base::Result<Message> message = Decoded(opened.body);
  REQUIRE(message.has_value());
  return *std::move(message);
}

inline Claim ClaimBy(std::uint64_t number, Liveness liveness = Liveness::kAlive,
                     std::uint32_t incarnation = 0, std::uint64_t generation = 1) {
  return {.host = Host(number),
          .generation = generation,
          .incarnation = incarnation,
          .liveness = liveness,
          .address = AddressOf(number),
          .metadata = Kept("m" + std::to_string(number))};
}

// The bytes of a message from node `from`.
inline std::string Say(std::uint64_t from, Body body, std::vector<Claim> claims = {},
                       std::vector<RumorItem> rumors = {}, const char* cluster = kCluster,
                       const Keyring& keyring = {}) {
  return Encoded({.header = {Host(from), 1, 0},
                  .body = body,
                  .claims = std::move(claims),
                  .rumors = std::move(rumors)},
                 cluster, keyring);
}

// Node 1, generation 1, and what came out of it.
class Hand {
 public:
  explicit Hand(GossipOptions options = {}, std::uint64_t seed = 7, Keyring keyring = {})
      : core(std::make_unique<Gossip>(options,
                                      Self{.host = Host(1),
                                           .generation = 1,
                                           .address = AddressOf(1),
                                           .cluster_name = kCluster,
                                           .keyring = keyring,
                                           .metadata = "me"},
                                      seed, At(0))),
        keyring_(std::move(keyring)) {}

  // It knows nodes 2.. as alive.
  Hand& Knows(std::initializer_list<std::uint64_t> others) {
    std::vector<Claim> claims;
    for (const std::uint64_t other : others) claims.push_back(ClaimBy(other));
    Learn(At(0), claims);
    Forget();
    return *this;
  }

  // It is told so over a stream, where a stranger is heard, too.
  void Learn(base::Instant now, const std::vector<Claim>& claims) {
    core->OnStreamRequest(now, Say(2, Push{}, claims, {}, kCluster, keyring_));
    Collect();
  }

  void Hear(base::Instant now, std::uint64_t from, Body body, std::vector<Claim> claims = {},
            std::vector<RumorItem> rumors = {}) {
    core->OnDatagram(now, AddressOf(from),
                     Say(from, body, std::move(claims), std::move(rumors), kCluster, keyring_));
    Collect();
  }

  // Ticks whenever the core wants it, until `end`.
  void RunTo(base::Instant end) {
    while (core->next_tick() <= end) {
      now_ = std::max(now_, core->next_tick());
      core->OnTick(now_);
      Collect();
    }
    now_ = std::max(now_, end);
  }

  template <typename Call>
  auto Do(Call call) {
    if constexpr (std::is_void_v<decltype(call(*core))>) {
      call(*core);
      Collect();
    } else {
      auto result = call(*core);
      Collect();
      return result;
    }
  }

  void Forget() {
    datagrams.clear();
    streams.clear();
    events.clear();
  }

  struct Sent {
    base::Address to;
    Message message;
    std::size_t bytes = 0;
  };
  // The messages of one kind among datagrams, or among requests on streams.
  template <typename Kind>
  std::vector<Sent> Datagrams() const {
    return OfKind<Kind>(datagrams);
  }
  template <typename Kind>
  std::vector<Sent> Streams() const {
    return OfKind<Kind>(streams);
  }

  Liveness LivenessOf(std::uint64_t number) const {
    const std::optional<MemberInfo> member = core->Find(Host(number));
    REQUIRE(member.has_value());
    return member->liveness;
  }

  std::vector<Event::Kind> EventKinds() const {
    std::vector<Event::Kind> kinds;
    for (const Event& event : events) kinds.push_back(event.kind);
    return kinds;
  }

  std::unique_ptr<Gossip> core;
  std::vector<Sent> datagrams, streams;
  std::vector<Event> events;

 private:
  void Collect() {
    Outputs outputs = std::exchange(core->outputs(), {});
    for (Datagram& d : outputs.datagrams)
      datagrams.push_back({d.to, Opened(d.bytes, keyring_), d.bytes.size()});
    for (StreamRequest& s : outputs.streams)
      streams.push_back({s.to, Opened(s.bytes, keyring_), s.bytes.size()});
    for (Event& event : outputs.events) events.push_back(std::move(event));
  }

  template <typename Kind>
  static std::vector<Sent> OfKind(const std::vector<Sent>& all) {
    std::vector<Sent> kind;
    for (const Sent& sent : all) {
      if (std::holds_alternative<Kind>(sent.message.body)) kind.push_back(sent);
    }
    return kind;
  }

  Keyring keyring_;
  base::Instant now_;
};

}  // namespace starling::gossip
