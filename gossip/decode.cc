// gossip/decode.cc: bytes of gossip.proto to messages, those of a sound node alone.
#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "base/hash.h"
#include "gossip/codec.h"
#include "gossip/codec_numbers.h"
#include "gossip/wire_format.h"

namespace starling::gossip {
namespace {

using namespace numbers;  // NOLINT(google-build-using-namespace): they are this file's words.
using wire_format::Field;
using wire_format::Reader;
using wire_format::TagOf;
using wire_format::Type;

const GossipOptions kDefaults;

base::Status NotProtobuf() {
  return base::InvalidArgument("gossip message: not Protobuf of gossip.proto");
}

base::Status Wrong(std::string_view what) {
  return base::InvalidArgument(fmt::format("gossip message: {}", what));
}

// As nodes write a host id with both halves: two fixed64, in order. Each claim has one.
bool ReadWhole(base::Bytes bytes, base::HostId& host) {
  constexpr std::size_t kHalf = 1 + sizeof(std::uint64_t);
  if (bytes.size() != 2 * kHalf || bytes[0] != TagOf(1, Type::kFixed64) ||
      bytes[kHalf] != TagOf(2, Type::kFixed64))
    return false;
  host.high = base::LoadLittle<std::uint64_t>(bytes.data() + 1);
  host.low = base::LoadLittle<std::uint64_t>(bytes.data() + kHalf + 1);
  return !host.empty();
}

base::Status Read(base::Bytes bytes, const char* field_name, base::HostId& host) {
  if (ReadWhole(bytes, host)) return base::Ok();
  host = {};
  Reader in(bytes);
  for (Field field; in.Next(field);) {
    if (field.tag == TagOf(1, Type::kFixed64)) host.high = field.value;
    if (field.tag == TagOf(2, Type::kFixed64)) host.low = field.value;
  }
  if (!in.ok()) return NotProtobuf();
  return host.empty() ? Wrong(fmt::format("{} is empty", field_name)) : base::Ok();
}

base::Status Check(std::uint64_t ip, std::uint64_t port, const char* field_name,
                   base::Address& address) {
  if (ip == 0 || port == 0 || port > 0xffff)
    return Wrong(fmt::format("{} {}:{} is no address", field_name, ip, port));
  address = {static_cast<std::uint32_t>(ip), static_cast<std::uint16_t>(port)};
  return base::Ok();
}

// Whatever is within has a next one that is, too: its subject can always refute.
base::Status Check(std::uint64_t generation, std::uint64_t incarnation) {
  if (generation >= kGenerations)
    return Wrong(fmt::format("generation {} is out of range", generation));
  if (incarnation > std::numeric_limits<std::uint32_t>::max())
    return Wrong(fmt::format("incarnation {} is out of range", incarnation));
  return base::Ok();
}

base::Status Read(std::uint64_t number, Liveness& liveness) {
  const auto known = std::find(kLivenesses.begin(), kLivenesses.end(), number);
  if (known == kLivenesses.end()) return Wrong(fmt::format("liveness {} is unknown", number));
  liveness = static_cast<Liveness>(known - kLivenesses.begin());
  return base::Ok();
}

base::Status Read(base::Bytes bytes, Accuser& accuser) {
  Reader in(bytes);
  for (Field field; in.Next(field);) {
    if (field.tag == TagOf(1, Type::kFixed64)) accuser.id = field.value;
    if (field.tag == TagOf(2, Type::kFixed32))
      accuser.domain = static_cast<std::uint32_t>(field.value);
  }
  return in.ok() ? base::Ok() : NotProtobuf();
}

// What a claim is made of, as it is read.
struct ClaimFields {
  base::Bytes host{};
  std::uint64_t incarnation = 0, liveness = 0, ip = 0, port = 0, age_ms = 0;
};

// A claim as nodes write it: each field at most once, in order, and no accuser. False if it is
// written otherwise, which says nothing against it; what was read is of no use then. Packets are
// full of claims, and this takes a third of the time of looking for any field anywhere.
bool ReadUsual(base::Bytes bytes, ClaimFields& fields, Claim& claim) {
  wire_format::InOrder in(bytes);
  in.Bytes(1, fields.host);
  in.Varint(2, claim.generation);
  in.Varint(3, fields.incarnation);
  in.Varint(4, fields.liveness);
  in.Fixed32(5, fields.ip);
  in.Varint(6, fields.port);
  in.Bytes(7, claim.metadata);
  in.Varint(8, fields.age_ms);
  std::uint64_t domain = 0;
  in.Fixed32(9, domain);
  claim.domain = static_cast<std::uint32_t>(domain);
  return in.done();
}

base::Status ReadAny(base::Bytes bytes, ClaimFields& fields, Claim& claim) {
  auto& [host, incarnation, liveness, ip, port, age_ms] = fields;
  std::size_t accusers = 0;
  Reader in(bytes);
  for (Field field; in.Next(field);) {
    switch (field.tag) {
      case TagOf(1, Type::kBytes): host = field.bytes; break;
      case TagOf(2, Type::kVarint): claim.generation = field.value; break;
      case TagOf(3, Type::kVarint): incarnation = field.value; break;
      case TagOf(4, Type::kVarint): liveness = field.value; break;
      case TagOf(5, Type::kFixed32): ip = field.value; break;
      case TagOf(6, Type::kVarint): port = field.value; break;
      case TagOf(7, Type::kBytes): claim.metadata = field.bytes; break;
      case TagOf(8, Type::kVarint): age_ms = field.value; break;
      case TagOf(9, Type::kFixed32): claim.domain = static_cast<std::uint32_t>(field.value); break;
      case TagOf(10, Type::kBytes): {
        if (++accusers > Accusers::kMax) return Wrong("more than three accusers in a claim");
        Accuser accuser;
        RETURN_IF_ERROR(Read(field.bytes, accuser));
        claim.accusers.Add(accuser);
        break;
      }
      default: break;  // A newer node's.
    }
  }
  return in.ok() ? base::Ok() : NotProtobuf();
}

base::Status Read(base::Bytes bytes, const GossipOptions& options, Claim& claim) {
  ClaimFields fields;
  if (!ReadUsual(bytes, fields, claim)) {
    fields = {};
    claim = {};
    RETURN_IF_ERROR(ReadAny(bytes, fields, claim));
  }
  const auto& [host, incarnation, liveness, ip, port, age_ms] = fields;
  RETURN_IF_ERROR(Read(host, "a claim's host", claim.host));
  RETURN_IF_ERROR(Check(ip, port, "a claim's address", claim.address));
  RETURN_IF_ERROR(Check(claim.generation, incarnation));
  claim.incarnation = static_cast<std::uint32_t>(incarnation);
  RETURN_IF_ERROR(Read(liveness, claim.liveness));
  if (claim.metadata.size() > options.metadata_bytes_max) {
    return Wrong(fmt::format("metadata of {} bytes, at most {} are taken", claim.metadata.size(),
                             options.metadata_bytes_max));
  }
  if (claim.liveness != Liveness::kAlive)
    claim.age = base::milliseconds(std::min(age_ms, kAgeMsMax));
  return base::Ok();
}

// The last of the message's rumors.
base::Status ReadRumor(base::Bytes bytes, const GossipOptions& options, Message& message) {
  RumorItem& rumor = message.rumors.emplace_back();
  base::Bytes key;
  std::optional<base::Bytes> payload;
  Reader in(bytes);
  for (Field field; in.Next(field);) {
    switch (field.tag) {
      case TagOf(1, Type::kBytes): key = field.bytes; break;
      case TagOf(2, Type::kVarint): rumor.version = field.value; break;
      case TagOf(3, Type::kFixed64): rumor.hash = field.value; break;
      case TagOf(4, Type::kBytes): payload = field.bytes; break;
      case TagOf(5, Type::kVarint):
        rumor.age = base::milliseconds(std::min(field.value, kRumorAgeMsMax));
        break;
      default: break;
    }
  }
  if (!in.ok()) return NotProtobuf();
  if (key.empty() || key.size() > kRumorKeyBytesMax)
    return Wrong(fmt::format("a rumor's key of {} bytes", key.size()));
  if (key.size() > rumor.key.capacity()) rumor.key = TakeRoom(message);
  rumor.key.assign(key);
  if (!payload) return base::Ok();
  if (payload->size() > options.rumor_payload_bytes_max) {
    return Wrong(fmt::format("a rumor's payload of {} bytes, at most {} are taken", payload->size(),
                             options.rumor_payload_bytes_max));
  }
  if (base::Hash64(*payload) != rumor.hash) return Wrong("a rumor is not what its hash says");
  rumor.payload.emplace(TakeRoom(message)).assign(*payload);
  return base::Ok();
}

// The fields that bodies are made of; each uses what it needs.
struct BodyFields {
  static constexpr std::uint32_t kMax = 5;
  std::uint64_t values[kMax] = {};  // By number - 1.
  base::Bytes bytes[kMax] = {};
};

base::Status Read(base::Bytes from, BodyFields& fields) {
  Reader in(from);
  for (Field field; in.Next(field);) {
    if (field.number > BodyFields::kMax) continue;
    if (field.type == Type::kBytes)
      fields.bytes[field.number - 1] = field.bytes;
    else
      fields.values[field.number - 1] = field.value;
  }
  return in.ok() ? base::Ok() : NotProtobuf();
}

base::Status ReadAck(const BodyFields& fields, Body& body) {
  Ack ack{.nonce = fields.values[0], .vitals = fields.bytes[4]};
  if (ack.vitals.size() > kVitalsBytesMax)
    return Wrong(fmt::format("vitals of {} bytes, at most {} are taken", ack.vitals.size(),
                             kVitalsBytesMax));
  body = ack;
  if (fields.values[1] == 0) return base::Ok();
  RETURN_IF_ERROR(Read(fields.values[1], ack.seen_as));
  ack.generation = fields.values[2];
  ack.incarnation = static_cast<std::uint32_t>(fields.values[3]);
  RETURN_IF_ERROR(Check(ack.generation, fields.values[3]));
  body = ack;
  return base::Ok();
}

base::Status ReadState(const BodyFields& fields, Body& body) {
  if (!fields.bytes[2].empty() && fields.bytes[2].size() != kBucketDigestsBytes)
    return Wrong(fmt::format("bucket digests of {} bytes", fields.bytes[2].size()));
  body = State{.members_equal = fields.values[0] != 0,
               .rumors_equal = fields.values[1] != 0,
               .buckets = fields.bytes[2],
               .retry_after_ms = static_cast<std::uint32_t>(
                   std::min<std::uint64_t>(fields.values[3], kRetryAfterMsMax))};
  return base::Ok();
}

base::Status ReadRumorSync(base::Bytes digests, Body& body) {
  RumorSync sync;
  if (digests.size() != sizeof sync.digests)
    return Wrong(fmt::format("digests of rumors of {} bytes", digests.size()));
  for (std::uint64_t& digest : sync.digests) {
    digest = base::LoadLittle<std::uint64_t>(digests.data());
    digests.remove_prefix(sizeof digest);
  }
  body = sync;
  return base::Ok();
}

base::Status CheckCount(const char* what, std::size_t count, std::size_t max) {
  if (count <= max) return base::Ok();
  return Wrong(fmt::format("more {} than the {} that any node has", what, max));
}

base::Status ReadBody(std::uint32_t kind, base::Bytes bytes, const GossipOptions& options,
                      Body& body) {
  BodyFields fields;
  RETURN_IF_ERROR(Read(bytes, fields));
  const std::uint64_t nonce = fields.values[0];
  base::HostId target;
  switch (kind) {
    case kPing:
      RETURN_IF_ERROR(Read(fields.bytes[1], "a ping's target", target));
      body = Ping{nonce, target};
      break;
    case kPingRequest: {
      PingRequest request{.nonce = nonce};
      RETURN_IF_ERROR(Read(fields.bytes[1], "a ping request's target", request.target));
      RETURN_IF_ERROR(
          Check(fields.values[2], fields.values[3], "a ping request's address", request.address));
      body = request;
      break;
    }
    case kConfirm:
      RETURN_IF_ERROR(Read(fields.bytes[0], "a confirm's target", target));
      body = Confirm{target};
      break;
    case kCompare:
      if (fields.bytes[0].size() != kBucketsBytes || fields.bytes[1].size() % kEntryBytes != 0)
        return Wrong("a comparison of odd length");
      RETURN_IF_ERROR(
          CheckCount("members", fields.bytes[1].size() / kEntryBytes, ClaimsMax(options)));
      body = Compare{fields.bytes[0], fields.bytes[1]};
      break;
    case kDifference:
      if (fields.bytes[0].size() % sizeof(std::uint64_t) != 0)
        return Wrong("a list of the wanted of odd length");
      RETURN_IF_ERROR(CheckCount("members", fields.bytes[0].size() / sizeof(std::uint64_t),
                                 ClaimsMax(options)));
      body = Difference{fields.bytes[0]};
      break;
    case kState: return ReadState(fields, body);
    case kRumorSync: return ReadRumorSync(fields.bytes[0], body);
    case kAck: return ReadAck(fields, body);
    case kNack: body = Nack{nonce}; break;
    case kFarewell: body = Farewell{nonce}; break;
    case kSpread: body = Spread{nonce}; break;
    case kFeedback: body = Feedback{nonce, fields.values[1]}; break;
    case kSync: body = Sync{fields.values[0], fields.values[1]}; break;
    case kPush: body = Push{}; break;
    case kPull: body = Pull{}; break;
    case kPayloads: body = Payloads{}; break;
    case kRumorState: body = RumorState{}; break;
    default: return Wrong("its kind is unknown");
  }
  return base::Ok();
}

bool IsBody(std::uint32_t number) {
  return number >= kPing && number <= kFarewell && number != kClaims && number != kRumors &&
         number != kRumorsDigest;
}

}  // namespace

std::size_t ClaimsMax(const GossipOptions& options) {
  return std::size_t{std::max(options.members_max, kDefaults.members_max)} + 1;  // Itself.
}

std::size_t RumorsMax(const GossipOptions& options) {
  return std::max({options.rumors_max, kDefaults.rumors_max, options.passing_rumors_max,
                   kDefaults.passing_rumors_max});
}

base::Status Decode(base::Bytes bytes, const GossipOptions& options, Message& message) {
  message.header = {};
  ClearItems(message);
  base::Bytes from, body;
  std::uint64_t incarnation = 0;
  std::uint32_t kind = 0;
  Reader in(bytes);
  for (Field field; in.Next(field);) {
    switch (field.tag) {
      case TagOf(kGeneration, Type::kVarint): message.header.generation = field.value; break;
      case TagOf(kIncarnation, Type::kVarint): incarnation = field.value; break;
      case TagOf(kRumorsDigest, Type::kFixed64): message.header.rumors_digest = field.value; break;
      case TagOf(kFrom, Type::kBytes): from = field.bytes; break;
      case TagOf(kClaims, Type::kBytes):
        RETURN_IF_ERROR(CheckCount("members", message.claims.size() + 1, ClaimsMax(options)));
        RETURN_IF_ERROR(Read(field.bytes, options, message.claims.emplace_back()));
        break;
      case TagOf(kRumors, Type::kBytes):
        RETURN_IF_ERROR(CheckCount("rumors", message.rumors.size() + 1, RumorsMax(options)));
        RETURN_IF_ERROR(ReadRumor(field.bytes, options, message));
        break;
      default:
        if (field.type != Type::kBytes || !IsBody(field.number)) break;
        kind = field.number;
        body = field.bytes;
    }
  }
  if (!in.ok()) return NotProtobuf();
  RETURN_IF_ERROR(Read(from, "the sender", message.header.from));
  RETURN_IF_ERROR(Check(message.header.generation, incarnation));
  message.header.incarnation = static_cast<std::uint32_t>(incarnation);
  return ReadBody(kind, body, options, message.body);
}

}  // namespace starling::gossip
