// gossip/courier.h: puts messages into the outputs: header, bytes, counters, and the limit.
//
// Thread:    confined to one thread.
// Read next: gossip/codec.h
#pragma once

#include <cstdint>
#include <optional>
#include <string>
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
  void Send(base::Instant now, base::Address to, Body body, std::vector<Claim> claims = {}) {
    std::size_t used = kEnvelopeBytesMax;
    for (const Claim& claim : claims) used += BytesBound(claim);
    if (used < options_.datagram_bytes_max) {
      membership_.AddUpdatesAlong(now, options_.datagram_bytes_max - used, claims);
    }
    SendAsItIs(to, body, std::move(claims), {});
  }

  // A datagram that is full already. REQUIRES: within datagram_bytes_max.
  void SendAsItIs(base::Address to, Body body, std::vector<Claim> claims,
                  std::vector<RumorItem> rumors) {
    std::string bytes = Pack(body, std::move(claims), std::move(rumors));
    CHECK(bytes.size() <= options_.datagram_bytes_max);
    ++counters_.datagrams_out;
    counters_.datagram_bytes_out += bytes.size();
    outputs_.datagrams.push_back({to, std::move(bytes)});
  }

  void Ask(base::Address to, std::optional<base::HostId> host, Body body,
           std::vector<Claim> claims = {}, std::vector<RumorItem> rumors = {}) {
    std::string bytes = Pack(body, std::move(claims), std::move(rumors));
    ++counters_.streams_out;
    counters_.stream_bytes_out += bytes.size();
    outputs_.streams.push_back({to, host, std::move(bytes)});
  }

  // The answer to a stream request, to be returned to the shell.
  std::string Answer(Body body, std::vector<Claim> claims = {},
                     std::vector<RumorItem> rumors = {}) {
    std::string bytes = Pack(body, std::move(claims), std::move(rumors));
    counters_.stream_bytes_out += bytes.size();
    return bytes;
  }

 private:
  std::string Pack(Body body, std::vector<Claim> claims, std::vector<RumorItem> rumors) const {
    const MemberInfo& self = membership_.self();
    return Encode(
        {.header = {self.host, self.generation, self.incarnation, rumors_.settled_digest()},
         .body = body,
         .claims = std::move(claims),
         .rumors = std::move(rumors)},
        cluster_tag_);
  }

  const GossipOptions& options_;
  const std::uint32_t cluster_tag_;
  Membership& membership_;
  const Rumors& rumors_;
  Outputs& outputs_;
  Counters& counters_;
};

}  // namespace starling::gossip
