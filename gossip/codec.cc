// gossip/codec.cc: gossip.proto, read and written. Nothing else sees generated types.
#include "gossip/codec.h"

#include <fmt/core.h>
#include <google/protobuf/arena.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/hash.h"
#include "gossip/wire/gossip.pb.h"

namespace starling::gossip {
namespace {

constexpr char kFormatVersion = 1;
constexpr std::size_t kPrefixBytes = 5;
constexpr std::size_t kArenaBytes = 4096;  // A datagram's messages, without an allocation.
constexpr std::size_t kPacketBytesMax = 16 << 20;
// Room to count up from any claim that is accepted, so that its subject can always refute.
constexpr std::uint64_t kGenerationMax = 1ULL << 62;
constexpr std::uint64_t kAgeMsMax = 1ULL << 41;

void Put(const base::HostId& host, v1::HostId& out) {
  out.set_high(host.high);
  out.set_low(host.low);
}

// By Liveness, whose order is that of claims and not of the wire.
constexpr std::array kLivenesses = {v1::LIVENESS_ALIVE, v1::LIVENESS_SUSPECT,
                                    v1::LIVENESS_UNREACHABLE, v1::LIVENESS_DEAD, v1::LIVENESS_LEFT};

void Put(const Claim& claim, v1::Claim& out) {
  Put(claim.host, *out.mutable_host());
  out.set_generation(claim.generation);
  out.set_incarnation(claim.incarnation);
  out.set_liveness(kLivenesses[static_cast<std::size_t>(claim.liveness)]);
  out.set_ip(claim.address.ip);
  out.set_port(claim.address.port);
  out.set_metadata(claim.metadata);
  out.set_domain(claim.domain);
  out.set_age_ms(std::min(
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, base::ToMs(claim.age))), kAgeMsMax));
  for (const Accuser& accuser : claim.accusers.all()) {
    v1::Accuser& to = *out.add_accusers();
    to.set_id(accuser.id);
    to.set_domain(accuser.domain);
  }
}

void Put(const RumorItem& rumor, v1::Rumor& out) {
  out.set_key(rumor.key);
  out.set_version(rumor.version);
  out.set_hash(rumor.hash);
  if (rumor.payload) out.set_payload(*rumor.payload);
}

// Writes the body's kind and fields.
struct PutBody {
  v1::Message& out;

  void operator()(const Ping& ping) const {
    out.mutable_ping()->set_nonce(ping.nonce);
    Put(ping.target, *out.mutable_ping()->mutable_target());
  }
  void operator()(const Ack& ack) const { out.mutable_ack()->set_nonce(ack.nonce); }
  void operator()(const PingRequest& request) const {
    v1::PingRequest& to = *out.mutable_ping_request();
    to.set_nonce(request.nonce);
    Put(request.target, *to.mutable_target());
    to.set_ip(request.address.ip);
    to.set_port(request.address.port);
  }
  void operator()(const Nack& nack) const { out.mutable_nack()->set_nonce(nack.nonce); }
  void operator()(const Confirm& confirm) const {
    Put(confirm.target, *out.mutable_confirm()->mutable_target());
  }
  void operator()(const Spread& spread) const { out.mutable_spread()->set_nonce(spread.nonce); }
  void operator()(const Feedback& feedback) const {
    out.mutable_feedback()->set_nonce(feedback.nonce);
    out.mutable_feedback()->set_known(feedback.known);
  }
  void operator()(const Sync& sync) const {
    out.mutable_sync()->set_members_digest(sync.members_digest);
    out.mutable_sync()->set_rumors_digest(sync.rumors_digest);
  }
  void operator()(const State& state) const {
    out.mutable_state()->set_members_equal(state.members_equal);
    out.mutable_state()->set_rumors_equal(state.rumors_equal);
  }
  void operator()(const Push&) const { out.mutable_push(); }
  void operator()(const Pull&) const { out.mutable_pull(); }
  void operator()(const Payloads&) const { out.mutable_payloads(); }
};

base::Result<base::HostId> ReadHost(const v1::HostId& in, const char* field) {
  const base::HostId host{in.high(), in.low()};
  if (host.empty())
    return base::Fail(base::InvalidArgument(fmt::format("gossip message: {} is empty", field)));
  return host;
}

base::Result<base::Address> ReadAddress(std::uint32_t ip, std::uint32_t port, const char* field) {
  if (ip == 0 || port == 0 || port > 0xffff) {
    return base::Fail(base::InvalidArgument(
        fmt::format("gossip message: {} {}:{} is no address", field, ip, port)));
  }
  return base::Address{ip, static_cast<std::uint16_t>(port)};
}

base::Status CheckGeneration(std::uint64_t generation) {
  if (generation <= kGenerationMax) return base::Ok();
  return base::InvalidArgument(
      fmt::format("gossip message: generation {} is out of range", generation));
}

base::Result<Claim> ReadClaim(const v1::Claim& in, const GossipOptions& options) {
  Claim claim;
  ASSIGN_OR_RETURN(claim.host, ReadHost(in.host(), "a claim's host"));
  ASSIGN_OR_RETURN(claim.address, ReadAddress(in.ip(), in.port(), "a claim's address"));
  RETURN_IF_ERROR(CheckGeneration(in.generation()));
  claim.generation = in.generation();
  claim.incarnation = in.incarnation();
  const auto liveness = std::find(kLivenesses.begin(), kLivenesses.end(), in.liveness());
  if (liveness == kLivenesses.end()) {
    return base::Fail(base::InvalidArgument(
        fmt::format("gossip message: liveness {} is unknown", static_cast<int>(in.liveness()))));
  }
  claim.liveness = static_cast<Liveness>(liveness - kLivenesses.begin());
  if (in.metadata().size() > options.metadata_bytes_max) {
    return base::Fail(base::InvalidArgument(
        fmt::format("gossip message: metadata of {} bytes, at most {} are taken",
                    in.metadata().size(), options.metadata_bytes_max)));
  }
  claim.metadata = in.metadata();
  claim.domain = in.domain();
  if (claim.liveness != Liveness::kAlive)
    claim.age = base::milliseconds(std::min(in.age_ms(), kAgeMsMax));
  if (static_cast<std::size_t>(in.accusers_size()) > Accusers::kMax) {
    return base::Fail(base::InvalidArgument(
        fmt::format("gossip message: {} accusers in a claim", in.accusers_size())));
  }
  for (const v1::Accuser& accuser : in.accusers())
    claim.accusers.Add({accuser.id(), accuser.domain()});
  return claim;
}

base::Result<RumorItem> ReadRumor(const v1::Rumor& in, const GossipOptions& options) {
  if (in.key().empty() || in.key().size() > kRumorKeyBytesMax) {
    return base::Fail(base::InvalidArgument(
        fmt::format("gossip message: a rumor's key of {} bytes", in.key().size())));
  }
  RumorItem rumor{.key = in.key(), .version = in.version(), .hash = in.hash()};
  if (!in.has_payload()) return rumor;
  if (in.payload().size() > options.rumor_payload_bytes_max) {
    return base::Fail(base::InvalidArgument(
        fmt::format("gossip message: rumor '{}' has {} bytes, at most {} are taken", in.key(),
                    in.payload().size(), options.rumor_payload_bytes_max)));
  }
  if (base::Hash64(in.payload()) != in.hash()) {
    return base::Fail(base::InvalidArgument(
        fmt::format("gossip message: rumor '{}' is not what its hash says", in.key())));
  }
  rumor.payload = in.payload();
  return rumor;
}

base::Result<Body> ReadPingRequest(const v1::PingRequest& in) {
  PingRequest request{.nonce = in.nonce()};
  ASSIGN_OR_RETURN(request.target, ReadHost(in.target(), "a ping request's target"));
  ASSIGN_OR_RETURN(request.address, ReadAddress(in.ip(), in.port(), "a ping request's address"));
  return Body(request);
}

base::Result<Body> ReadBody(const v1::Message& in) {
  switch (in.body_case()) {
    case v1::Message::kPing: {
      Ping ping{.nonce = in.ping().nonce()};
      ASSIGN_OR_RETURN(ping.target, ReadHost(in.ping().target(), "a ping's target"));
      return Body(ping);
    }
    case v1::Message::kAck: return Body(Ack{in.ack().nonce()});
    case v1::Message::kPingRequest: return ReadPingRequest(in.ping_request());
    case v1::Message::kNack: return Body(Nack{in.nack().nonce()});
    case v1::Message::kConfirm: {
      Confirm confirm;
      ASSIGN_OR_RETURN(confirm.target, ReadHost(in.confirm().target(), "a confirm's target"));
      return Body(confirm);
    }
    case v1::Message::kSpread: return Body(Spread{in.spread().nonce()});
    case v1::Message::kFeedback:
      return Body(Feedback{in.feedback().nonce(), in.feedback().known()});
    case v1::Message::kSync:
      return Body(Sync{in.sync().members_digest(), in.sync().rumors_digest()});
    case v1::Message::kState:
      return Body(State{in.state().members_equal(), in.state().rumors_equal()});
    case v1::Message::kPush: return Body(Push{});
    case v1::Message::kPull: return Body(Pull{});
    case v1::Message::kPayloads: return Body(Payloads{});
    case v1::Message::BODY_NOT_SET: break;
  }
  return base::Fail(base::InvalidArgument("gossip message: its kind is unknown"));
}

google::protobuf::ArenaOptions ArenaOn(char (&block)[kArenaBytes]) {
  google::protobuf::ArenaOptions options;
  options.initial_block = block;
  options.initial_block_size = kArenaBytes;
  return options;
}

}  // namespace

std::uint32_t ClusterTag(base::Bytes cluster_name) {
  return static_cast<std::uint32_t>(base::Hash64(cluster_name));
}

std::string Encode(const Message& message, std::uint32_t cluster_tag) {
  alignas(8) char block[kArenaBytes];
  google::protobuf::Arena arena(ArenaOn(block));
  v1::Message& out = *google::protobuf::Arena::CreateMessage<v1::Message>(&arena);
  Put(message.header.from, *out.mutable_from());
  out.set_generation(message.header.generation);
  out.set_incarnation(message.header.incarnation);
  std::visit(PutBody{out}, message.body);
  for (const Claim& claim : message.claims) Put(claim, *out.add_claims());
  for (const RumorItem& rumor : message.rumors) Put(rumor, *out.add_rumors());

  std::string packet(1, kFormatVersion);
  base::AppendLittle(packet, cluster_tag);
  CHECK(out.AppendToString(&packet));
  return packet;
}

base::Result<std::uint32_t> TagOf(base::Bytes packet) {
  if (packet.size() < kPrefixBytes || packet[0] != kFormatVersion)
    return base::Fail(base::InvalidArgument("not a gossip message of this version"));
  return base::LoadLittle<std::uint32_t>(packet.data() + 1);
}

base::Result<Message> Decode(base::Bytes packet, const GossipOptions& options) {
  CHECK(packet.size() >= kPrefixBytes);
  if (packet.size() > kPacketBytesMax)
    return base::Fail(base::InvalidArgument("gossip message: over 16 MiB"));
  packet.remove_prefix(kPrefixBytes);
  alignas(8) char block[kArenaBytes];
  google::protobuf::Arena arena(ArenaOn(block));
  v1::Message& in = *google::protobuf::Arena::CreateMessage<v1::Message>(&arena);
  if (!in.ParseFromArray(packet.data(), static_cast<int>(packet.size())))
    return base::Fail(base::InvalidArgument("gossip message: not Protobuf of gossip.proto"));

  Message message;
  ASSIGN_OR_RETURN(message.header.from, ReadHost(in.from(), "the sender"));
  RETURN_IF_ERROR(CheckGeneration(in.generation()));
  message.header.generation = in.generation();
  message.header.incarnation = in.incarnation();
  ASSIGN_OR_RETURN(message.body, ReadBody(in));
  message.claims.reserve(static_cast<std::size_t>(in.claims_size()));
  for (const v1::Claim& claim : in.claims()) {
    ASSIGN_OR_RETURN(Claim read, ReadClaim(claim, options));
    message.claims.push_back(std::move(read));
  }
  for (const v1::Rumor& rumor : in.rumors()) {
    ASSIGN_OR_RETURN(RumorItem read, ReadRumor(rumor, options));
    message.rumors.push_back(std::move(read));
  }
  return message;
}

}  // namespace starling::gossip
