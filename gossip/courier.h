// gossip/courier.h: puts messages into the outputs: header, bytes, seal, counters, and the limits.
//
// Thread:    confined to one thread.
// Read next: gossip/codec.h, gossip/envelope.h
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gossip/codec.h"
#include "gossip/envelope.h"
#include "gossip/membership.h"
#include "gossip/once_each.h"
#include "gossip/outputs.h"
#include "gossip/rumors.h"

namespace starling::gossip {

// What is known of a datagram that may be answered. Its address may be forged, so that all that is
// sent for it, at once and later, is together not larger than it.
struct Asked {
  base::Address from;
  base::HostId host;      // As it says.
  std::size_t bytes = 0;  // What may still be sent.
  Envelope::Way way{};
};

// Of a claim that may be there. Valid as long as it.
inline std::span<const Claim> AsSpan(const std::optional<Claim>& claim) {
  return claim ? std::span(&*claim, 1) : std::span<const Claim>();
}

class Courier {
 public:
  static constexpr std::size_t kDeadRepliesMax = 64;  // In a second.

  // The references outlive this.
  Courier(const GossipOptions& options, Envelope& envelope, Membership& membership,
          const Rumors& rumors, Outputs& outputs, Counters& counters)
      : options_(options),
        envelope_(envelope),
        membership_(membership),
        rumors_(rumors),
        outputs_(outputs),
        counters_(counters) {}
  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;

  // A datagram with `claims`, and as many waiting updates as still fit.
  void Send(base::Instant now, base::Address to, const Body& body,
            std::span<const Claim> claims = {});

  // A datagram that `asked` gives rise to, to whoever sent it or to a third: sealed as it was, no
  // larger than what is left of asked.bytes, which it takes away; with those of `claims` and of the
  // waiting updates that fit and leave room for `more` such bodies to follow. False, with nothing
  // sent, if not even the body fits, or its sender is held for dead and was answered within a
  // second.
  bool Reply(base::Instant now, base::Address to, const Body& body, Asked& asked,
             std::span<const Claim> claims = {}, std::size_t more = 0);
  // Likewise a request on a stream, without any claims.
  bool AskFor(Asked& asked, base::Address to, base::HostId host, const Body& body);

  // A datagram that is full already. REQUIRES: within datagram_bytes_max.
  void SendAsItIs(base::Address to, const Body& body, std::span<const Claim> claims,
                  const std::vector<RumorItem>& rumors);

  void Ask(base::Address to, std::optional<base::HostId> host, const Body& body,
           std::span<const Claim> claims = {}, const std::vector<RumorItem>& rumors = {});

  // The answer to a stream request, to be returned to the shell; it goes the way of the request.
  std::string Answer(const Body& body, std::span<const Claim> claims = {},
                     const std::vector<RumorItem>& rumors = {});
  void AnswerBy(Envelope::Way way) { answer_way_ = way; }

 private:
  void Start(const Body& body, std::span<const Claim> claims, const std::vector<RumorItem>& rumors);
  std::string Room();
  void AddAlong(base::Instant now, std::size_t size_max, std::string& packet);
  void Post(base::Address to, Envelope::Way way, std::string packet);
  void PostStream(base::Address to, std::optional<base::HostId> host, std::string packet);
  void Pack(Envelope::Way way, const Body& body, std::span<const Claim> claims,
            const std::vector<RumorItem>& rumors, std::string& packet);

  const GossipOptions& options_;
  Envelope& envelope_;
  Membership& membership_;
  const Rumors& rumors_;
  Outputs& outputs_;
  Counters& counters_;
  Message message_;  // Its room is used for one message after another.
  // Two nodes that hold each other for dead, or a stranger with the name of one, must not make us
  // send for as long as they speak.
  OnceEach<base::HostId> dead_replies_{base::seconds(1), kDeadRepliesMax};
  Envelope::Way answer_way_;
};

}  // namespace starling::gossip
