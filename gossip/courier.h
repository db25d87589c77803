// gossip/courier.h: puts messages into the outputs: header, bytes, counters, and the limit.
//
// Thread:    confined to one thread.
// Read next: gossip/codec.h
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "gossip/codec.h"
#include "gossip/membership.h"
#include "gossip/outputs.h"
#include "gossip/rumors.h"

namespace starling::gossip {

class Courier {
 public:
  // The references outlive this.
  Courier(const GossipOptions& options, std::uint32_t cluster_tag, Membership& membership,
          const Rumors& rumors, Outputs& outputs, Counters& counters)
      : options_(options),
        cluster_tag_(cluster_tag),
        membership_(membership),
        rumors_(rumors),
        outputs_(outputs),
        counters_(counters) {}

  // A datagram with `claims`, and as many waiting updates as still fit.
  void Send(base::Instant now, base::Address to, const Body& body,
            std::span<const Claim> claims = {}) {
    Start(body, claims);
    std::size_t used = kEnvelopeBytesMax;
    for (const Claim& claim : claims) used += BytesBound(claim);
    if (used < options_.datagram_bytes_max)
      membership_.AddUpdatesAlong(now, options_.datagram_bytes_max - used, message_.claims);
    SendMessage(to);
  }

  // A datagram that is full already. REQUIRES: within datagram_bytes_max.
  void SendAsItIs(base::Address to, const Body& body, std::span<const Claim> claims,
                  std::vector<RumorItem> rumors) {
    Start(body, claims);
    message_.rumors = std::move(rumors);
    SendMessage(to);
  }

  void Ask(base::Address to, std::optional<base::HostId> host, const Body& body,
           std::span<const Claim> claims = {}, std::vector<RumorItem> rumors = {}) {
    std::string bytes = Pack(body, claims, std::move(rumors));
    ++counters_.streams_out;
    counters_.stream_bytes_out += bytes.size();
    outputs_.streams.push_back({to, host, std::move(bytes)});
  }

  // The answer to a stream request, to be returned to the shell.
  std::string Answer(const Body& body, std::span<const Claim> claims = {},
                     std::vector<RumorItem> rumors = {}) {
    std::string bytes = Pack(body, claims, std::move(rumors));
    counters_.stream_bytes_out += bytes.size();
    return bytes;
  }

 private:
  void Start(const Body& body, std::span<const Claim> claims) {
    const MemberInfo& self = membership_.self();
    message_.header = {self.host, self.generation, self.incarnation, rumors_.settled_digest()};
    message_.body = body;
    message_.claims.assign(claims.begin(), claims.end());
    message_.rumors.clear();
  }

  void SendMessage(base::Address to) {
    std::string bytes;
    if (!outputs_.spare.empty()) {
      bytes = std::move(outputs_.spare.back());
      outputs_.spare.pop_back();
    }
    Encode(message_, cluster_tag_, bytes);
    CHECK(bytes.size() <= options_.datagram_bytes_max);
    ++counters_.datagrams_out;
    counters_.datagram_bytes_out += bytes.size();
    outputs_.datagrams.push_back({to, std::move(bytes)});
  }

  std::string Pack(const Body& body, std::span<const Claim> claims, std::vector<RumorItem> rumors) {
    Start(body, claims);
    message_.rumors = std::move(rumors);
    std::string bytes;
    Encode(message_, cluster_tag_, bytes);
    return bytes;
  }

  const GossipOptions& options_;
  const std::uint32_t cluster_tag_;
  Membership& membership_;
  const Rumors& rumors_;
  Outputs& outputs_;
  Counters& counters_;
  Message message_;  // Its room is used for one message after another.
};

}  // namespace starling::gossip
