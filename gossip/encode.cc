// gossip/encode.cc: messages to bytes of gossip.proto.
#include <algorithm>
#include <array>

#include "gossip/codec.h"
#include "gossip/codec_numbers.h"
#include "gossip/wire_format.h"

namespace starling::gossip {
namespace {

using namespace numbers;  // NOLINT(google-build-using-namespace): they are this file's words.
using wire_format::Writer;

constexpr std::array<char, std::max(kConfirmPaddingBytes, kPingRequestPaddingBytes)> kPadding{};

std::uint64_t NumberOf(Liveness liveness) {
  return kLivenesses[static_cast<std::size_t>(liveness)];
}

void Put(Writer& out, std::uint32_t field, const base::HostId& host) {
  out.Message(field, [&] {
    out.Fixed64(1, host.high);
    out.Fixed64(2, host.low);
  });
}

std::uint64_t AgeMs(base::Duration age) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, base::ToMs(age)));
}

void Put(Writer& out, const Claim& claim) {
  out.Message(kClaims, [&] {
    Put(out, 1, claim.host);
    out.Varint(2, claim.generation);
    out.Varint(3, claim.incarnation);
    out.Varint(4, NumberOf(claim.liveness));
    out.Fixed32(5, claim.address.ip);
    out.Varint(6, claim.address.port);
    out.Bytes(7, claim.metadata);
    out.Varint(8, std::min(AgeMs(claim.age), kAgeMsMax));
    out.Fixed32(9, claim.domain);
    for (const Accuser& accuser : claim.accusers.all()) {
      out.Message(10, [&] {
        out.Fixed64(1, accuser.id);
        out.Fixed32(2, accuser.domain);
      });
    }
  });
}

void Put(Writer& out, const RumorItem& rumor) {
  out.Message(kRumors, [&] {
    out.Bytes(1, rumor.key);
    out.Varint(2, rumor.version);
    out.Fixed64(3, rumor.hash);
    if (rumor.payload) out.Present(4, *rumor.payload);
    out.Varint(5, std::min(AgeMs(rumor.age), kRumorAgeMsMax));
  });
}

// Writes the body's kind and fields.
struct PutBody {
  Writer& out;

  void operator()(const Ping& ping) const {
    out.Message(kPing, [&] {
      out.Fixed64(1, ping.nonce);
      Put(out, 2, ping.target);
    });
  }
  void operator()(const Ack& ack) const {
    out.Message(kAck, [&] {
      out.Fixed64(1, ack.nonce);
      if (ack.seen_as != Liveness::kAlive || ack.generation != 0) {
        out.Varint(2, NumberOf(ack.seen_as));
        out.Varint(3, ack.generation);
        out.Varint(4, ack.incarnation);
      }
      out.Bytes(5, ack.vitals);
    });
  }
  void operator()(const Nack& nack) const { Nonce(kNack, nack.nonce); }
  void operator()(const PingRequest& request) const {
    out.Message(kPingRequest, [&] {
      out.Fixed64(1, request.nonce);
      Put(out, 2, request.target);
      out.Fixed32(3, request.address.ip);
      out.Varint(4, request.address.port);
      out.Present(5, {kPadding.data(), kPingRequestPaddingBytes});
    });
  }
  void operator()(const Confirm& confirm) const {
    out.Message(kConfirm, [&] {
      Put(out, 1, confirm.target);
      out.Present(2, {kPadding.data(), kConfirmPaddingBytes});
    });
  }
  void operator()(const Farewell& farewell) const { Nonce(kFarewell, farewell.nonce); }
  void operator()(const Spread& spread) const { Nonce(kSpread, spread.nonce); }
  void operator()(const Feedback& feedback) const {
    out.Message(kFeedback, [&] {
      out.Fixed64(1, feedback.nonce);
      out.Fixed64(2, feedback.known);
    });
  }
  void operator()(const Sync& sync) const {
    out.Message(kSync, [&] {
      out.Fixed64(1, sync.members_digest);
      out.Fixed64(2, sync.rumors_digest);
    });
  }
  void operator()(const State& state) const {
    out.Message(kState, [&] {
      out.Varint(1, state.members_equal ? 1 : 0);
      out.Varint(2, state.rumors_equal ? 1 : 0);
      out.Bytes(3, state.buckets);
      out.Varint(4, state.retry_after_ms);
    });
  }
  void operator()(const Compare& compare) const {
    out.Message(kCompare, [&] {
      out.Bytes(1, compare.buckets);
      out.Bytes(2, compare.entries);
    });
  }
  void operator()(const Difference& difference) const {
    out.Message(kDifference, [&] { out.Bytes(1, difference.wanted); });
  }
  void operator()(const Push&) const { Empty(kPush); }
  void operator()(const Pull&) const { Empty(kPull); }
  void operator()(const Payloads&) const { Empty(kPayloads); }
  void operator()(const RumorSync& sync) const {
    out.Message(kRumorSync, [&] { out.PackedFixed64(1, sync.digests); });
  }
  void operator()(const RumorState&) const { Empty(kRumorState); }

 private:
  void Nonce(std::uint32_t kind, std::uint64_t nonce) const {
    out.Message(kind, [&] { out.Fixed64(1, nonce); });
  }
  void Empty(std::uint32_t kind) const {
    out.Message(kind, [] {});
  }
};

}  // namespace

void Encode(const Message& message, std::string& packet) {
  Writer out(packet);
  Put(out, kFrom, message.header.from);
  out.Varint(kGeneration, message.header.generation);
  out.Varint(kIncarnation, message.header.incarnation);
  out.Fixed64(kRumorsDigest, message.header.rumors_digest);
  std::visit(PutBody{out}, message.body);
  for (const Claim& claim : message.claims) Put(out, claim);
  for (const RumorItem& rumor : message.rumors) Put(out, rumor);
}

void AppendClaim(const Claim& claim, std::string& packet) {
  Writer out(packet);
  Put(out, claim);
}

}  // namespace starling::gossip
