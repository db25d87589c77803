// Goal:   nothing that comes in from outside ends a node: every request has an answer, or its
//         connection is closed with an error, and the cluster serves as before.
// Method: three whole nodes; clients and pretended peers send valid frames of every kind, the same
//         with a few bytes changed (and a checksum and digest that fit, so that they are decoded),
//         damaged frames, and noise; a pretended third node answers the two others in this way.
//         An abort ends this program. STARLING_INPUT_ROUNDS=N: connections a case (400 without).
#include <fmt/core.h>

#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/hash.h"
#include "gossip/codec.h"
#include "gossip/envelope.h"
#include "server/join_request.h"
#include "server/node_shared.h"
#include "server/purge/round.h"
#include "server/topology/codec.h"
#include "server/wire/entries.h"
#include "server/wire/frame.h"
#include "storage/entry.h"
#include "tests/sim/cluster.h"
#include "tests/sim/sender.h"
#include "tests/test.h"

namespace starling::sim {
namespace {

using base::Random;
using wire::Kind;

std::uint64_t Rounds() {
  const char* text = std::getenv("STARLING_INPUT_ROUNDS");
  return text == nullptr ? 400 : std::strtoull(text, nullptr, 10);
}

// --- what is sent ---

std::string Noise(Random& random, std::size_t size_max) {
  std::string bytes(random.Below(size_max + 1), '\0');
  for (char& c : bytes) c = static_cast<char>(random.Below(256));
  return bytes;
}

// A number that a decoder may not expect.
std::uint64_t Odd(Random& random) {
  switch (random.Below(6)) {
    case 0: return 0;
    case 1: return ~0ULL >> random.Below(64);
    case 2: return 1ULL << random.Below(64);
    case 3: return random.Below(300);
    default: return random.Next();
  }
}

// A few bytes of it are changed, taken out, doubled or put in.
void Mutate(Random& random, std::string& bytes) {
  for (std::uint64_t n = 1 + random.Below(4); n > 0; --n) {
    if (bytes.empty() || random.Chance(0.05)) bytes += Noise(random, 8);
    if (bytes.empty()) continue;
    const std::size_t at = random.Below(bytes.size());
    switch (random.Below(6)) {
      case 0: bytes[at] = static_cast<char>(bytes[at] ^ 1 << random.Below(8)); break;
      case 1: bytes[at] = static_cast<char>(random.Below(256)); break;
      case 2: bytes.erase(at, 1 + random.Below(9)); break;
      case 3: bytes.insert(at, Noise(random, 9)); break;
      case 4: bytes.resize(at); break;
      case 5:
        bytes.insert(at, bytes.substr(random.Below(bytes.size()), 1 + random.Below(40)));
        break;
    }
  }
}
std::string Mutated(Random& random, std::string bytes, double chance) {
  if (random.Chance(chance)) Mutate(random, bytes);
  return bytes;
}

// A frame whose checksum is right, whatever its header.
std::string FrameOf(Kind kind, std::uint64_t id, base::Bytes header, base::Bytes payload) {
  std::string frame(wire::kFrameBytes, '\0');
  wire::StoreFrameHead(frame.data(), kind, id, header, payload.size());
  return frame.append(header).append(payload);
}

// What the pretenders know of the cluster.
struct Facts {
  wire::ClusterMap map;
  std::string topology;  // Encoded.
  std::string gossip_cluster;
};

std::string Encoded(const gossip::Message& message, const Facts& facts) {
  std::string bytes;
  gossip::Envelope envelope(facts.gossip_cluster, {}, {message.header.from, 1, 0});
  envelope.Begin(std::nullopt, bytes);
  gossip::Encode(message, bytes);
  return bytes;
}

struct Draw {
  Random& random;
  const Facts& facts;

  base::KeyspaceId Keyspace() {
    if (random.Chance(0.1)) return static_cast<base::KeyspaceId>(Odd(random));
    return facts.map.keyspaces[random.Below(facts.map.keyspaces.size())].id;
  }
  std::string Key() { return fmt::format("key{}", random.Below(30)); }
  std::uint64_t Epoch() { return random.Chance(0.1) ? Odd(random) : facts.map.epoch; }
  // Mostly one that can be answered.
  std::int64_t Cut() {
    return random.Chance(0.8) ? Simulation::kWallStartMs / 1000 + 100'000
                              : static_cast<std::int64_t>(Odd(random));
  }
  base::Version Version() {
    if (random.Chance(0.15))
      return {Odd(random), static_cast<std::uint32_t>(Odd(random)), static_cast<std::uint32_t>(7)};
    return {static_cast<std::uint64_t>(Simulation::kWallStartMs) << 16,
            1 + static_cast<std::uint32_t>(random.Below(3)),
            static_cast<std::uint32_t>(random.Next())};
  }
  // Of purge: none, one of about now, or any.
  std::uint64_t Mark() {
    if (random.Chance(0.4)) return 0;
    return random.Chance(0.7) ? static_cast<std::uint64_t>(Simulation::kWallStartMs) << 16
                              : Odd(random);
  }
  base::Token Token() { return random.Chance(0.3) ? Odd(random) : random.Next(); }
  std::uint8_t Small(unsigned usual) {
    return static_cast<std::uint8_t>(random.Chance(0.2) ? random.Below(256) : random.Below(usual));
  }
  wire::Consistency Level() {
    return static_cast<wire::Consistency>(1 + random.Below(random.Chance(0.1) ? 9 : 5));
  }
  std::string Value() { return Noise(random, random.Chance(0.02) ? 200'000 : 300); }
  base::HostId Host() {
    return random.Chance(0.1) ? base::HostId{Odd(random), Odd(random)}
                              : facts.map.nodes[random.Below(facts.map.nodes.size())].host;
  }
  std::uint64_t DigestOf(base::Bytes payload) {
    return random.Chance(0.03) ? Odd(random) : base::Hash64(payload);
  }
  topology::Topology Topology() { return *topology::DecodeTopology(facts.topology); }

  std::string Packed() {
    std::string page;
    for (std::uint64_t n = random.Below(6); n > 0; --n) {
      const std::string key = Key(), value = Value();
      wire::PackEntryTo({.key = key,
                         .version = Version(),
                         .flags = Small(4),
                         .origin = Small(6),
                         .expiry_ms = Odd(random),
                         .value_digest = storage::ValueDigest(value),
                         .value = value},
                        page);
    }
    return page;
  }
  template <typename Keep>
  gossip::State GossipState(Keep keep) {
    gossip::State state{.members_equal = random.Chance(0.5), .rumors_equal = random.Chance(0.5)};
    if (random.Chance(0.5)) state.buckets = keep(std::string(gossip::kBucketDigestsBytes, 'd'));
    if (random.Chance(0.2)) state.retry_after_ms = static_cast<std::uint32_t>(Odd(random));
    return state;
  }
  std::string GossipMessage() {
    std::deque<std::string> kept;  // Messages have views only.
    const auto keep = [&](std::string bytes) -> base::Bytes {
      return kept.emplace_back(std::move(bytes));
    };
    gossip::Message message;
    message.header = {Host(), Odd(random) >> 2, static_cast<std::uint32_t>(Odd(random)),
                      random.Chance(0.5) ? 0 : Odd(random)};
    switch (random.Below(17)) {
      case 0: message.body = gossip::Ping{Odd(random), Host()}; break;
      case 1: message.body = gossip::Ack{Odd(random)}; break;
      case 2: message.body = gossip::PingRequest{Odd(random), Host(), {0x7f000002, 7700}}; break;
      case 3: message.body = gossip::Spread{Odd(random)}; break;
      case 4: message.body = gossip::Feedback{Odd(random), Odd(random)}; break;
      case 5: message.body = gossip::Sync{Odd(random), Odd(random)}; break;
      case 6: message.body = GossipState(keep); break;
      case 7: message.body = gossip::Push{}; break;
      case 8: message.body = gossip::Pull{}; break;
      case 9: message.body = gossip::Payloads{}; break;
      case 10: message.body = gossip::Nack{Odd(random)}; break;
      case 11: message.body = gossip::Confirm{Host()}; break;
      case 12: message.body = gossip::Farewell{Odd(random)}; break;
      case 13: {
        const std::size_t entries = random.Below(5) * gossip::kEntryBytes;
        message.body = gossip::Compare{keep(std::string(gossip::kBucketsBytes, '\xff')),
                                       keep(std::string(entries, 'e'))};
        break;
      }
      case 14:
        message.body = gossip::Difference{keep(std::string(random.Below(5) * 8, 'w'))};
        break;
      case 15: message.body = gossip::RumorSync{{Odd(random), Odd(random)}}; break;
      case 16: message.body = gossip::RumorState{}; break;
    }
    for (std::uint64_t n = random.Below(3); n > 0; --n)
      message.claims.push_back(
          {.host = Host(),
           .generation = random.Below(5),
           .incarnation = static_cast<std::uint32_t>(Odd(random)),
           .liveness = static_cast<gossip::Liveness>(random.Below(5)),
           .address = {0x7f000001U + static_cast<std::uint32_t>(random.Below(4)), 7700},
           .metadata = keep(Noise(random, 20)),
           .age = base::milliseconds(Odd(random) >> 24)});
    for (std::uint64_t n = random.Below(3); n > 0; --n) {
      const std::string payload =
          random.Chance(0.3) ? Mutated(random, facts.topology, 0.5) : Noise(random, 40);
      gossip::RumorItem item{.key = random.Chance(0.5) ? "topology" : Key(),
                             .version = random.Below(40),
                             .hash = base::Hash64(payload),
                             .age = base::milliseconds(Odd(random) >> 32)};
      if (random.Chance(0.6)) item.payload = payload;
      message.rumors.push_back(std::move(item));
    }
    return Encoded(message, facts);
  }
  std::string ControlPayload(wire::ControlTopic topic) {
    switch (topic) {
      case wire::ControlTopic::kGossip: return GossipMessage();
      case wire::ControlTopic::kFounding: {
        topology::SeedHello hello;
        hello.round = Odd(random);
        hello.node = Info();
        hello.cluster_name = random.Chance(0.9) ? "sim" : "other";
        hello.seeds = {{0x7f000001, 7700}, {0x7f000002, 7700}};
        hello.topology = random.Chance(0.5) ? Mutated(random, facts.topology, 0.5) : "";
        return topology::EncodeSeedHello(hello);
      }
      case wire::ControlTopic::kPaxos: {
        topology::Topology next = Topology();
        next.epoch += random.Below(3);
        topology::PaxosRequest request;
        request.kind = static_cast<topology::PaxosRequest::Kind>(1 + random.Below(3));
        request.epoch = random.Chance(0.1) ? Odd(random) : next.epoch;
        request.ballot = {Odd(random), Host()};
        request.voters = next.voters;
        request.value = Mutated(random, topology::EncodeTopology(next), 0.5);
        return topology::EncodePaxosRequest(request);
      }
      case wire::ControlTopic::kJoin: {
        gossip::Envelope envelope("sim", {}, {Host(), 1, 1});
        return server::EncodeJoin(
            {.replaced = random.Chance(0.5) ? base::Address{} : Info().cluster,
             .back = random.Chance(0.5) ? 0 : Odd(random),
             .node = Info()},
            envelope);
      }
      case wire::ControlTopic::kCompare: {
        std::string payload;
        base::AppendLittle(payload, Epoch());
        base::AppendLittle(payload, Odd(random));
        base::AppendLittle(payload, std::uint32_t{1});
        const auto count = static_cast<std::uint32_t>(random.Below(5));
        base::AppendLittle(payload, count);
        for (std::uint32_t i = 0; i < count; ++i) {
          base::AppendLittle(payload, Keyspace());
          payload += Noise(random, 0) + std::string(24, static_cast<char>(random.Below(3)));
        }
        return payload;
      }
      case wire::ControlTopic::kForward: {
        std::string payload;
        base::AppendLittle(payload, Keyspace());
        return payload;
      }
      case wire::ControlTopic::kPurge: return PurgeRequest();
      case wire::ControlTopic::kProve: {
        std::string payload;
        base::AppendLittle(payload, Epoch());
        base::AppendLittle(payload, static_cast<std::uint64_t>(Cut()));
        const auto count = static_cast<std::uint32_t>(random.Below(5));
        base::AppendLittle(payload, count);
        for (std::uint32_t i = 0; i < count; ++i) {
          base::AppendLittle(payload, Keyspace());
          base::AppendLittle(payload, static_cast<std::uint16_t>(random.Next()));
          base::AppendLittle(payload, static_cast<std::uint16_t>(random.Next()));
          payload += std::string(24, static_cast<char>(random.Below(3)));
        }
        return payload;
      }
      default: return {};
    }
  }
  // Mostly a horizon that can be closed up to, and buckets that need not be the receiver's.
  std::string PurgeRequest() {
    server::purge::Request request;
    request.step = static_cast<server::purge::Step>(1 + random.Below(2));
    request.epoch = Epoch();
    request.keyspace = Keyspace();
    request.horizon = random.Chance(0.2)
                          ? Odd(random)
                          : static_cast<std::uint64_t>(Simulation::kWallStartMs) << 16;
    for (std::uint64_t n = 1 + random.Below(40); n > 0; --n)
      request.buckets.push_back(static_cast<std::uint16_t>(
          request.buckets.empty() || random.Chance(0.9) ? random.Next() : request.buckets.back()));
    return server::purge::EncodeRequest(request);
  }
  topology::NodeInfo Info() {
    return {.host = Host(),
            .cluster = {0x7f000001U + static_cast<std::uint32_t>(random.Below(5)), 7700},
            .client = {0x7f000001, 7701},
            .resp = {0x7f000001, 7702},
            .dc = "dc1",
            .rack = "rack1",
            .vnodes = static_cast<std::uint32_t>(1 + random.Below(300))};
  }

  // Mutates payload and header here and there, and makes the digest fit.
  template <typename Message>
  std::string Framed(std::uint64_t id, Message message, std::string payload, double chance,
                     std::uint64_t Message::*digest) {
    payload = Mutated(random, std::move(payload), chance);
    if (digest != nullptr) message.*digest = DigestOf(payload);
    std::string header;
    wire::EncodeTo(message, header);
    header = Mutated(random, std::move(header), chance);
    if (header.size() > wire::kHeaderBytesMax) header.clear();
    return FrameOf(Message::kKind, id, header, payload);
  }
  template <typename Message>
  std::string Framed(std::uint64_t id, const Message& message, double chance) {
    return Framed<Message>(id, message, {}, chance, nullptr);
  }

  std::string ClientFrame(std::uint64_t id, double chance) {
    const std::string key = random.Chance(0.02) ? Noise(random, 33'000) : Key();
    switch (random.Below(8)) {
      case 0:
      case 1: {
        wire::PutRequest put{.keyspace = Keyspace(), .key = key, .level = Level(), .stamp = {}};
        put.tombstone = random.Chance(0.1);
        if (random.Chance(0.3)) put.ttl_ms = Odd(random);
        if (random.Chance(0.3)) put.stamp = Version();
        if (random.Chance(0.3)) put.deadline_ms = static_cast<std::uint32_t>(Odd(random));
        return Framed(id, put, Value(), chance, &wire::PutRequest::value_digest);
      }
      case 2:
        return Framed(id, wire::GetRequest{.keyspace = Keyspace(), .key = key, .level = Level()},
                      chance);
      case 3:
        return Framed(id,
                      wire::ScanRequest{.keyspace = Keyspace(),
                                        .from_token = Token(),
                                        .after_key = random.Chance(0.5) ? base::Bytes(key) : "",
                                        .level = Level(),
                                        .bytes_max = static_cast<std::uint32_t>(Odd(random))},
                      chance);
      case 4: return Framed(id, wire::ClusterMapRequest{}, chance);
      case 5:
        return Framed(id,
                      wire::CreateKeyspaceRequest{
                          .name = fmt::format("space{}", random.Below(6)),
                          .replication = random.Chance(0.7) ? "simple:2" : "dc1:2,dc2:1"},
                      chance);
      case 6: {
        static constexpr const char* kCommands[] = {"status",
                                                    "ring",
                                                    "describecluster",
                                                    "gossipinfo",
                                                    "repairstatus",
                                                    "repair",
                                                    "info",
                                                    "netstats",
                                                    "tablestats",
                                                    "listpendinghints",
                                                    "flush",
                                                    "getendpoints",
                                                    "why",
                                                    "compact",
                                                    "purgestatus",
                                                    "scrub",
                                                    "scrubstatus",
                                                    "quarantine",
                                                    "quarantine-value",
                                                    "quarantine-drop",
                                                    "version"};
        wire::AdminRequest admin;
        admin.command = kCommands[random.Below(std::size(kCommands))];
        return Framed(id, admin,
                      fmt::format(R"({{"keyspace":"default","key":"{}","x":[[[{{}}]]]}})", Key()),
                      chance, &wire::AdminRequest::payload_digest);
      }
      default: return Framed(id, wire::PingRequest{}, chance);
    }
  }

  std::string DataFrame(std::uint64_t id, double chance) {
    const std::string key = Key();
    const auto bucket = static_cast<std::uint16_t>(random.Next());
    switch (random.Below(7)) {
      case 0: {
        const wire::ReplicaWrite write{.keyspace = Keyspace(),
                                       .key = key,
                                       .version = Version(),
                                       .flags = Small(4),
                                       .origin = Small(6),
                                       .expiry_ms = Odd(random),
                                       .epoch = Epoch(),
                                       .number = Odd(random),
                                       .unhandled = static_cast<std::uint32_t>(Odd(random)),
                                       .source_epoch = Epoch(),
                                       .source_purged = Mark()};
        return Framed(id, write, Value(), chance, &wire::ReplicaWrite::value_digest);
      }
      case 1:
        return Framed(id, wire::ReplicaRead{Keyspace(), key, random.Chance(0.5), Epoch()}, chance);
      case 2: {
        const base::Token from = Token();
        return Framed(
            id,
            wire::ReplicaScan{Keyspace(), from, random.Chance(0.3) ? base::Bytes(key) : "",
                              random.Chance(0.8) ? from | 0xffffffffffffULL : Token(),
                              static_cast<std::uint32_t>(Odd(random)), Epoch()},
            chance);
      }
      case 3:
        return Framed(id,
                      wire::SliceHashesRequest{Keyspace(), static_cast<std::uint8_t>(bucket),
                                               Odd(random), Epoch(), Cut()},
                      chance);
      case 5: {
        const base::Token from = base::FirstToken(bucket) + random.Below(9);
        const wire::BucketParts parts{.keyspace = Keyspace(),
                                      .first_token = from,
                                      .last_token = from + random.Below(1 << 20),
                                      .salt = Odd(random),
                                      .epoch = Epoch(),
                                      .cut_s = Cut(),
                                      .purged = Mark()};
        return Framed(id, parts, Noise(random, 300), chance, &wire::BucketParts::payload_digest);
      }
      case 4: return Framed(id, wire::Handled{.below = Odd(random)}, chance);
      default: {
        std::string after;
        if (random.Chance(0.5)) base::AppendBig(after, base::FirstToken(bucket) + random.Below(9));
        if (random.Chance(0.5)) after += key;
        const wire::BucketPull pull{.keyspace = Keyspace(),
                                    .bucket = bucket,
                                    .after = after,
                                    .bytes_max = static_cast<std::uint32_t>(Odd(random)),
                                    .epoch = Epoch(),
                                    .last_token = base::LastToken(bucket),
                                    .cut_s = Cut(),
                                    .purged = Mark()};
        return Framed(id, pull, Noise(random, 300), chance, &wire::BucketPull::payload_digest);
      }
    }
  }

  std::string ControlFrame(std::uint64_t id, double chance, bool topologies) {
    using Topic = wire::ControlTopic;
    static constexpr Topic kHarmless[] = {Topic::kGossip,  Topic::kTopology, Topic::kCompare,
                                          Topic::kForward, Topic::kPurge,    Topic::kProve};
    static constexpr Topic kAll[] = {
        Topic::kGossip,   Topic::kFounding, Topic::kPaxos,   Topic::kPaxos, Topic::kJoin,
        Topic::kTopology, Topic::kCompare,  Topic::kForward, Topic::kPurge, Topic::kProve};
    wire::ControlRequest request;
    request.topic = topologies ? kAll[random.Below(std::size(kAll))]
                               : kHarmless[random.Below(std::size(kHarmless))];
    return Framed(id, request, ControlPayload(request.topic), chance,
                  &wire::ControlRequest::payload_digest);
  }

  // What might answer a frame of a node, right or wrong.
  std::string Answer(const wire::Frame& asked, double chance) {
    const std::uint64_t id = random.Chance(0.01) ? Odd(random) : asked.request_id;
    std::uint64_t what = static_cast<std::uint64_t>(asked.kind);
    if (random.Chance(0.05)) what = 64 + random.Below(40);
    if (random.Chance(0.05))
      return Framed(id,
                    wire::ErrorReply{static_cast<base::Code>(1 + random.Below(9)),
                                     Noise(random, 50), Version()},
                    chance);
    switch (static_cast<Kind>(what)) {
      case Kind::kReplicaWrite:
        return Framed(id,
                      wire::ReplicaWriteReply{static_cast<wire::WriteOutcome>(1 + random.Below(4)),
                                              Version()},
                      chance);
      case Kind::kReplicaRead: {
        const wire::ReplicaReadReply reply{.version = Version(),
                                           .flags = Small(4),
                                           .origin = Small(6),
                                           .expiry_ms = Odd(random),
                                           .epoch = Epoch(),
                                           .purged = Mark()};
        return Framed(id, reply, Value(), chance, &wire::ReplicaReadReply::value_digest);
      }
      case Kind::kReplicaScan:
        return Framed(id, wire::ReplicaScanReply{.done = random.Chance(0.7)}, Packed(), chance,
                      &wire::ReplicaScanReply::payload_digest);
      case Kind::kSliceHashes:
        return Framed(id, wire::SliceHashesReply{.epoch = Epoch()},
                      std::string(1024, static_cast<char>(random.Below(3))), chance,
                      &wire::SliceHashesReply::payload_digest);
      case Kind::kHandled: return Framed(id, wire::HandledReply{}, chance);
      case Kind::kBucketParts:
        return Framed(id, wire::BucketPartsReply{}, Noise(random, 8), chance,
                      &wire::BucketPartsReply::payload_digest);
      case Kind::kBucketPull: {
        const std::string after = random.Chance(0.7) ? Noise(random, 20) : "";
        wire::BucketPullReply reply{
            .done = random.Chance(0.7), .after = after, .epoch = Epoch(), .purged = Mark()};
        std::string names;
        if (random.Chance(0.5)) {
          reply.named_upto = random.Chance(0.7) ? reply.purged : Mark();
          names = Noise(random, 100);
          reply.names_bytes =
              static_cast<std::uint32_t>(random.Chance(0.8) ? names.size() : Odd(random));
        }
        return Framed(id, reply, names + Packed(), chance, &wire::BucketPullReply::payload_digest);
      }
      default:
        return Framed(id, wire::ControlReply{}, ControlAnswer(asked), chance,
                      &wire::ControlReply::payload_digest);
    }
  }
  // Of as many buckets as were asked about, or not.
  std::string PurgeReport(base::Bytes asked) {
    server::purge::Report report;
    report.epoch = Epoch();
    const auto request = server::purge::DecodeRequest(asked);
    const std::size_t count =
        request && random.Chance(0.8) ? request->buckets.size() : random.Below(9);
    report.digests.resize(count);
    return server::purge::EncodeReport(report);
  }
  std::string ControlAnswer(const wire::Frame& asked) {
    const auto request = wire::Decode<wire::ControlRequest>(asked.header);
    if (!request || random.Chance(0.1)) return Noise(random, 60);
    if (request->topic == wire::ControlTopic::kTopology)
      return Mutated(random, facts.topology, 0.3);
    if (request->topic == wire::ControlTopic::kPurge) return PurgeReport(asked.payload);
    if (request->topic == wire::ControlTopic::kProve) {
      std::string answer;
      base::AppendLittle(answer, Epoch());
      const auto count = static_cast<std::uint32_t>(asked.payload.size() / 32);
      base::AppendLittle(answer, count);
      return answer + std::string(count, static_cast<char>(random.Below(3)));
    }
    if (request->topic != wire::ControlTopic::kCompare) return GossipMessage();
    std::string answer;
    base::AppendLittle(answer, Epoch());
    base::AppendLittle(answer, std::uint32_t{1});
    base::AppendLittle(answer, Keyspace());
    answer.push_back(random.Chance(0.3) ? '\1' : '\0');
    return answer + std::string(2048, static_cast<char>(random.Below(3)));
  }
};

// --- who sends it ---

// Stands where a node was: takes every hello, acknowledges every ping, and answers as it draws.
class Pretender final : public base::Actor {
 public:
  Pretender(SimHost& host, const wire::ClusterMap::Node& self, const Facts& facts)
      : host_(host), world_(host.MakeWorld(base::kControlActor)), self_(self), facts_(facts) {
    host.Attach(base::kControlActor, *this);
    host.Start();
  }
  ~Pretender() override { host_.Crash(SimHost::How::kKilled); }

  std::uint64_t asked = 0;

  void OnStart() override {
    const base::Address address{host_.ip(), 7700};
    REQUIRE(world_.Listen(server::kClusterListener, address).ok());
    REQUIRE(world_.BindDatagrams(address).ok());
  }
  void OnOpen(base::ConnId, base::Address, base::ListenerId) override {}
  std::size_t OnBytes(base::ConnId conn, base::Bytes bytes) override {
    std::size_t used = 0;
    for (;;) {
      wire::Frame frame;
      const auto size = wire::CutFrame(bytes.substr(used), &frame);
      REQUIRE(size.has_value());
      if (*size == 0) return used;
      used += *size;
      std::string reply;
      if (frame.kind == Kind::kHello) {
        wire::HelloReply greeting;
        greeting.cluster_name = "sim";
        greeting.cluster_id = facts_.map.cluster_id;
        greeting.host = self_.host;
        greeting.epoch = facts_.map.epoch;
        wire::AppendFrame(reply, frame.request_id, greeting);
      } else {
        ++asked;
        reply = Draw{world_.random(), facts_}.Answer(frame, 0.2);
      }
      const auto room = world_.Reserve(conn, reply.size());
      std::copy(reply.begin(), reply.end(), room.begin());
      world_.Commit(conn, reply.size());
    }
  }
  void OnClose(base::ConnId, base::CloseReason) override {}
  void OnDatagram(base::Address from, base::Bytes bytes) override {
    gossip::Envelope envelope(facts_.gossip_cluster, {}, {self_.host, 1, 0});
    const gossip::Envelope::Opened opened = envelope.Open(bytes);
    gossip::Message message;
    const bool sound = opened.verdict == gossip::Envelope::Verdict::kOpened &&
                       gossip::Decode(opened.body, {}, message).ok();
    const auto* ping = sound ? std::get_if<gossip::Ping>(&message.body) : nullptr;
    if (ping == nullptr) return;
    std::string metadata;
    base::AppendLittle(metadata, facts_.map.epoch);
    metadata.push_back('\1');
    const gossip::Message ack{{self_.host, 1000, 0},
                              gossip::Ack{ping->nonce},
                              {{.host = self_.host,
                                .generation = 1000,
                                .incarnation = 0,
                                .address = {host_.ip(), 7700},
                                .metadata = metadata}},
                              {}};
    world_.SendDatagram(from, Encoded(ack, facts_));
  }
  void OnMail(std::unique_ptr<base::Mail>) override {}
  void OnWake() override {}
  void OnTurnEnd() override {}

 private:
  SimHost& host_;
  base::World& world_;
  const wire::ClusterMap::Node self_;
  const Facts& facts_;
};

server::Config OftenPurging() {
  server::Config config;
  config.purge.interval = base::milliseconds(500);
  config.purge.horizon = server::PurgeHorizonMin(config);
  return config;
}

// Three nodes that are up, a sender, and what it knows of them.
struct Scene {
  explicit Scene(std::uint64_t seed)
      : cluster({.seed = seed, .nodes = 3, .workers = 2, .config = OftenPurging()}),
        random(seed),
        sender(cluster.sim().AddHost(0x7f000301)) {
    REQUIRE(cluster.AwaitAllUp(base::seconds(30)));
    facts.map = cluster.watcher(0).session().routing().map();
    facts.gossip_cluster = fmt::format("sim/{}", facts.map.cluster_id.ToString());
    Round(0, wire::Role::kPeerControl, [&](std::uint64_t id) {
      std::string frame;
      wire::AppendFrame(frame, id,
                        wire::ControlRequest{wire::ControlTopic::kTopology, base::Hash64("")});
      return frame;
    });
    facts.topology = sender.answers.back();
    REQUIRE(topology::DecodeTopology(facts.topology).has_value());
  }

  base::Address ClusterAddress(std::uint32_t node) { return {cluster.host(node).ip(), 7700}; }

  std::string Hello(wire::Role role) {
    wire::Hello hello;
    hello.role = role;
    if (role != wire::Role::kClient) {
      hello.cluster_name = "sim";
      hello.cluster_id = facts.map.cluster_id;
      for (const auto& node : facts.map.nodes)
        if (node.client.ip == cluster.host(1).ip()) hello.host = node.host;
      hello.epoch = facts.map.epoch;
      hello.worker = static_cast<std::uint32_t>(random.Below(2));
    }
    std::string frame;
    wire::AppendFrame(frame, 0, hello);
    return frame;
  }

  // A connection with a few frames: each is answered, or the connection is closed.
  void Round(std::uint32_t node, wire::Role role,
             const std::function<std::string(std::uint64_t)>& draw, std::uint64_t frames = 1) {
    std::string bytes = Hello(role);
    std::vector<std::uint64_t> ids;
    for (std::uint64_t i = 0; i < frames; ++i) {
      ids.push_back(++last_id);
      bytes += draw(last_id);
    }
    const base::Address to = role == wire::Role::kClient
                                 ? base::Address{cluster.host(node).ip(), 7701}
                                 : ClusterAddress(node);
    sender.Begin(to, std::move(bytes), std::move(ids));
    const bool settled = cluster.sim().Await(base::seconds(400), [&] { return sender.settled(); });
    EXPECT(settled);
    ++(sender.closed ? closed : stayed);
    for (const Kind kind : sender.kinds) ++answers[kind];
    REQUIRE(cluster.up(node));
  }

  // Whether all nodes are there and serve.
  void CheckServes(std::uint32_t nodes) {
    for (std::uint32_t i = 0; i < nodes; ++i) {
      REQUIRE(cluster.up(i));
      const std::string key = fmt::format("after{}", i);
      EXPECT(cluster.Await(cluster.watcher(i).Put(key, 7)).status.ok());
      const Record& got = cluster.Await(cluster.watcher(i).Get(key));
      EXPECT(got.status.ok());
    }
  }

  Cluster cluster;
  Random random;
  Sender sender;
  Facts facts;
  std::uint64_t last_id = 0;
  std::uint64_t closed = 0, stayed = 0;  // Connections.
  std::map<Kind, std::uint64_t> answers;
};

// Valid frames, changed ones, damaged ones and noise. A damaged frame may announce more than comes,
// so nothing else is sent behind it.
void Storm(Scene& scene, wire::Role role,
           const std::function<std::string(Draw&, std::uint64_t, double)>& draw) {
  Draw of{scene.random, scene.facts};
  for (std::uint64_t round = 0; round < Rounds(); ++round) {
    const auto node = static_cast<std::uint32_t>(scene.random.Below(3));
    const double chance = scene.random.Chance(0.4) ? 0 : 0.6;
    scene.Round(
        node, role,
        [&](std::uint64_t id) {
          std::string frame = draw(of, id, chance);
          // A kind that is unknown, or another's: its header does not fit.
          if (scene.random.Chance(0.02) && frame.size() > wire::kFrameBytes) {
            const auto kind = static_cast<Kind>(scene.random.Below(100));
            frame = FrameOf(kind, id, base::Bytes(frame).substr(wire::kFrameBytes, 60), {});
          }
          return frame;
        },
        1 + scene.random.Below(8));
    if (!scene.random.Chance(0.1)) continue;
    scene.sender.Begin(
        role == wire::Role::kClient ? base::Address{scene.cluster.host(node).ip(), 7701}
                                    : scene.ClusterAddress(node),
        [&] {
          std::string bytes = scene.random.Chance(0.7) ? scene.Hello(role) : "";
          std::string frame = draw(of, 1, 0.5);
          Mutate(scene.random, frame);
          return bytes + (scene.random.Chance(0.5) ? frame : Noise(scene.random, 200));
        }(),
        {});
    scene.cluster.sim().RunFor(base::milliseconds(20));
    REQUIRE(scene.cluster.up(node));
  }
}

// That the storm came through: each kind was answered in earnest, and was refused.
void CheckAnswered(const Scene& scene, const std::vector<Kind>& kinds) {
  EXPECT(scene.stayed > 2 * scene.closed);
  EXPECT(scene.closed > 0);
  EXPECT(scene.answers.contains(Kind::kError));
  for (const Kind kind : kinds) {
    DOCTEST_CAPTURE(static_cast<unsigned>(kind));
    EXPECT(scene.answers.contains(kind));
  }
}

TEST_SUITE("sim/input") {
  TEST_CASE("clients cannot end a node") {
    Scene scene(1);
    Storm(scene, wire::Role::kClient,
          [](Draw& of, std::uint64_t id, double chance) { return of.ClientFrame(id, chance); });
    CheckAnswered(scene,
                  {Kind::kPutReply, Kind::kGetReply, Kind::kScanReply, Kind::kClusterMapReply,
                   Kind::kCreateKeyspaceReply, Kind::kAdminReply, Kind::kPong});
    scene.CheckServes(3);
    EXPECT(scene.cluster.exits().empty());
  }

  TEST_CASE("data connections of a peer cannot end a node") {
    Scene scene(2);
    Storm(scene, wire::Role::kPeerData,
          [](Draw& of, std::uint64_t id, double chance) { return of.DataFrame(id, chance); });
    CheckAnswered(scene, {Kind::kReplicaWriteReply, Kind::kReplicaReadReply,
                          Kind::kReplicaScanReply, Kind::kSliceHashesReply, Kind::kBucketPartsReply,
                          Kind::kBucketPullReply, Kind::kHandledReply});
    scene.CheckServes(3);
    EXPECT(scene.cluster.exits().empty());
  }

  TEST_CASE("control connections of a peer cannot end a node") {
    Scene scene(3);
    Storm(scene, wire::Role::kPeerControl, [](Draw& of, std::uint64_t id, double chance) {
      return of.ControlFrame(id, chance, false);
    });
    CheckAnswered(scene, {Kind::kControlReply});
    REQUIRE(scene.cluster.AwaitAllUp(base::seconds(120)));
    scene.CheckServes(3);
    EXPECT(scene.cluster.exits().empty());
  }

  TEST_CASE("datagrams cannot end a node") {
    Scene scene(4);
    scene.sender.Bind({0x7f000301, 7700});
    Draw of{scene.random, scene.facts};
    for (std::uint64_t i = 0; i < Rounds() * 10; ++i) {
      const auto node = static_cast<std::uint32_t>(scene.random.Below(3));
      std::string bytes = scene.random.Chance(0.1) ? Noise(scene.random, 1200)
                                                   : Mutated(scene.random, of.GossipMessage(), 0.5);
      scene.sender.datagrams.emplace_back(scene.ClusterAddress(node), std::move(bytes));
      scene.sender.SendDatagrams();
      if (i % 4 == 0) scene.cluster.sim().RunFor(base::milliseconds(20));
    }
    REQUIRE(scene.cluster.AwaitAllUp(base::seconds(120)));
    scene.CheckServes(3);
    EXPECT(scene.cluster.exits().empty());
  }

  TEST_CASE("forged votes and topologies cannot abort a node") {
    // Such a peer can make an epoch that the others believe, and a node obeys an epoch that puts it
    // out. So what is left to ask is that each one runs, or has said why not.
    for (std::uint64_t seed = 10; seed < 10 + std::max<std::uint64_t>(1, Rounds() / 50); ++seed) {
      Scene scene(seed);
      Draw of{scene.random, scene.facts};
      for (std::uint64_t i = 0; i < 60; ++i) {
        const auto node = static_cast<std::uint32_t>(scene.random.Below(3));
        if (!scene.cluster.up(node)) continue;
        std::string bytes = scene.Hello(wire::Role::kPeerControl);
        for (std::uint64_t n = 1 + scene.random.Below(4); n > 0; --n)
          bytes += of.ControlFrame(++scene.last_id, 0.3, true);
        scene.sender.Begin(scene.ClusterAddress(node), std::move(bytes), {});
        scene.cluster.sim().RunFor(base::milliseconds(200));
      }
      scene.cluster.sim().RunFor(base::seconds(30));
      for (std::uint32_t i = 0; i < 3; ++i)
        EXPECT((scene.cluster.up(i) || scene.cluster.host(i).exit_status().has_value()));
    }
  }

  TEST_CASE("a peer's answers cannot end a node") {
    for (std::uint64_t seed = 20; seed < 20 + std::max<std::uint64_t>(1, Rounds() / 100); ++seed) {
      Scene scene(seed);
      scene.cluster.Kill(2);
      Pretender pretender(
          scene.cluster.host(2),
          [&] {
            for (const auto& node : scene.facts.map.nodes)
              if (node.client.ip == scene.cluster.host(2).ip()) return node;
            REQUIRE(false);
            return wire::ClusterMap::Node{};
          }(),
          scene.facts);
      Draw of{scene.random, scene.facts};
      for (std::uint64_t i = 0; i < 100; ++i)
        scene.Round(
            static_cast<std::uint32_t>(scene.random.Below(2)), wire::Role::kClient,
            [&](std::uint64_t id) { return of.ClientFrame(id, 0); }, 8);
      scene.cluster.sim().RunFor(base::seconds(60));
      for (std::uint32_t i = 0; i < 2; ++i)
        EXPECT((scene.cluster.up(i) || scene.cluster.host(i).exit_status().has_value()));
      EXPECT(pretender.asked > 100);
    }
  }
}

}  // namespace
}  // namespace starling::sim
