// tests/sim/input_requests.cc: what clients and peers may ask.
#include <fmt/core.h>

#include <iterator>

#include "base/bytes.h"
#include "gossip/envelope.h"
#include "server/join_request.h"
#include "server/purge/round.h"
#include "server/topology/codec.h"
#include "tests/sim/input_draw.h"
#include "tests/sim/simulation.h"

namespace starling::sim {

std::string Draw::ClientFrame(std::uint64_t id, double chance) {
  const std::string key = random_.Chance(0.02) ? Noise(random_, 33'000) : Key();
  switch (random_.Below(8)) {
    case 0:
    case 1: {
      wire::PutRequest put{.keyspace = Keyspace(), .key = key, .level = Level(), .stamp = {}};
      put.tombstone = random_.Chance(0.1);
      if (random_.Chance(0.3)) put.ttl_ms = Odd(random_);
      if (random_.Chance(0.3)) put.stamp = Version();
      if (random_.Chance(0.3)) put.deadline_ms = static_cast<std::uint32_t>(Odd(random_));
      return Framed(id, put, Value(), chance, &wire::PutRequest::value_digest);
    }
    case 2:
      return Framed(id, wire::GetRequest{.keyspace = Keyspace(), .key = key, .level = Level()},
                    chance);
    case 3:
      return Framed(id,
                    wire::ScanRequest{.keyspace = Keyspace(),
                                      .from_token = Token(),
                                      .after_key = random_.Chance(0.5) ? base::Bytes(key) : "",
                                      .level = Level(),
                                      .bytes_max = static_cast<std::uint32_t>(Odd(random_))},
                    chance);
    case 4: return Framed(id, wire::ClusterMapRequest{}, chance);
    case 5:
      return Framed(id,
                    wire::CreateKeyspaceRequest{
                        .name = fmt::format("space{}", random_.Below(6)),
                        .replication = random_.Chance(0.7) ? "simple:2" : "dc1:2,dc2:1"},
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
      admin.command = kCommands[random_.Below(std::size(kCommands))];
      return Framed(id, admin,
                    fmt::format(R"({{"keyspace":"default","key":"{}","x":[[[{{}}]]]}})", Key()),
                    chance, &wire::AdminRequest::payload_digest);
    }
    default: return Framed(id, wire::PingRequest{}, chance);
  }
}

std::string Draw::DataFrame(std::uint64_t id, double chance) {
  const std::string key = Key();
  const auto bucket = static_cast<std::uint16_t>(random_.Next());
  switch (random_.Below(8)) {
    case 0: {
      const wire::ReplicaWrite write{.keyspace = Keyspace(),
                                     .key = key,
                                     .version = Version(),
                                     .flags = Small(4),
                                     .origin = Small(6),
                                     .expiry_ms = Odd(random_),
                                     .epoch = Epoch(),
                                     .number = Odd(random_),
                                     .unhandled = static_cast<std::uint32_t>(Odd(random_)),
                                     .source_epoch = Epoch(),
                                     .source_purged = Mark()};
      sent_ = {write.keyspace, key, write.version, Value()};
      return Framed(id, write, sent_.value, chance, &wire::ReplicaWrite::value_digest);
    }
    case 6: {
      const wire::ValuePiece piece{
          .keyspace = random_.Chance(0.1) ? Keyspace() : sent_.keyspace,
          .key = sent_.key,
          .version = random_.Chance(0.1) ? Version() : sent_.version,
          .value_digest = DigestOf(sent_.value),
          .value_bytes =
              static_cast<std::uint32_t>(random_.Chance(0.1) ? Odd(random_) : sent_.value.size()),
          .offset =
              static_cast<std::uint32_t>(random_.Chance(0.1) ? Odd(random_) : random_.Below(50)),
          .bytes_max = static_cast<std::uint32_t>(Odd(random_)),
          .epoch = Epoch()};
      return Framed(id, piece, chance);
    }
    case 1:
      return Framed(id, wire::ReplicaRead{Keyspace(), key, random_.Chance(0.5), Epoch()}, chance);
    case 2: {
      const base::Token from = Token();
      return Framed(id,
                    wire::ReplicaScan{Keyspace(), from, random_.Chance(0.3) ? base::Bytes(key) : "",
                                      random_.Chance(0.8) ? from | 0xffffffffffffULL : Token(),
                                      static_cast<std::uint32_t>(Odd(random_)), Epoch()},
                    chance);
    }
    case 3:
      return Framed(id,
                    wire::SliceHashesRequest{Keyspace(), static_cast<std::uint8_t>(bucket),
                                             Odd(random_), Epoch(), Cut()},
                    chance);
    case 5: {
      const base::Token from = base::FirstToken(bucket) + random_.Below(9);
      const wire::BucketParts parts{.keyspace = Keyspace(),
                                    .first_token = from,
                                    .last_token = from + random_.Below(1 << 20),
                                    .salt = Odd(random_),
                                    .epoch = Epoch(),
                                    .cut_s = Cut(),
                                    .purged = Mark()};
      return Framed(id, parts, Noise(random_, 300), chance, &wire::BucketParts::payload_digest);
    }
    case 4: return Framed(id, wire::Handled{.below = Odd(random_)}, chance);
    default: {
      std::string after;
      if (random_.Chance(0.5)) base::AppendBig(after, base::FirstToken(bucket) + random_.Below(9));
      if (random_.Chance(0.5)) after += key;
      std::string further;  // Often leaves that do not ascend: noise.
      if (random_.Chance(0.5)) further = random_.Chance(0.5) ? Noise(random_, 3) : "\xfe\xff";
      const wire::BucketPull pull{.keyspace = Keyspace(),
                                  .bucket = bucket,
                                  .after = after,
                                  .bytes_max = static_cast<std::uint32_t>(Odd(random_)),
                                  .epoch = Epoch(),
                                  .last_token = base::LastToken(bucket),
                                  .cut_s = Cut(),
                                  .purged = Mark(),
                                  .further = further,
                                  .whole_bytes_max = random_.Chance(0.5) ? 100U : 0U};
      return Framed(id, pull, Noise(random_, 300), chance, &wire::BucketPull::payload_digest);
    }
  }
}

std::string Draw::ControlFrame(std::uint64_t id, double chance, bool topologies) {
  using Topic = wire::ControlTopic;
  static constexpr Topic kHarmless[] = {Topic::kGossip,  Topic::kTopology, Topic::kCompare,
                                        Topic::kForward, Topic::kPurge,    Topic::kProve};
  static constexpr Topic kAll[] = {
      Topic::kGossip,   Topic::kFounding, Topic::kPaxos,   Topic::kPaxos, Topic::kJoin,
      Topic::kTopology, Topic::kCompare,  Topic::kForward, Topic::kPurge, Topic::kProve};
  wire::ControlRequest request;
  request.topic = topologies ? kAll[random_.Below(std::size(kAll))]
                             : kHarmless[random_.Below(std::size(kHarmless))];
  return Framed(id, request, ControlPayload(request.topic), chance,
                &wire::ControlRequest::payload_digest);
}

std::string Draw::ControlPayload(wire::ControlTopic topic) {
  switch (topic) {
    case wire::ControlTopic::kGossip: return GossipMessage();
    case wire::ControlTopic::kFounding: {
      topology::SeedHello hello;
      hello.round = Odd(random_);
      hello.node = Info();
      hello.cluster_name = random_.Chance(0.9) ? "sim" : "other";
      hello.seeds = {{0x7f000001, 7700}, {0x7f000002, 7700}};
      hello.topology = random_.Chance(0.5) ? Mutated(random_, facts_.topology, 0.5) : "";
      return topology::EncodeSeedHello(hello);
    }
    case wire::ControlTopic::kPaxos: {
      topology::Topology next = Topology();
      next.epoch += random_.Below(3);
      topology::PaxosRequest request;
      request.kind = static_cast<topology::PaxosRequest::Kind>(1 + random_.Below(3));
      request.epoch = random_.Chance(0.1) ? Odd(random_) : next.epoch;
      request.ballot = {Odd(random_), Host()};
      request.voters = next.voters;
      request.value = Mutated(random_, topology::EncodeTopology(next), 0.5);
      return topology::EncodePaxosRequest(request);
    }
    case wire::ControlTopic::kJoin: {
      gossip::Envelope envelope("sim", {}, {Host(), 1, 1});
      const topology::Replaced whom{random_.Chance(0.5) ? base::Address{} : Info().cluster,
                                    random_.Chance(0.8) ? base::HostId{} : Host()};
      return server::EncodeJoin(
          {.replaced = whom, .back = random_.Chance(0.5) ? 0 : Odd(random_), .node = Info()},
          envelope);
    }
    case wire::ControlTopic::kCompare: {
      std::string payload;
      base::AppendLittle(payload, Epoch());
      base::AppendLittle(payload, Odd(random_));
      base::AppendLittle(payload, std::uint32_t{1});
      const auto count = static_cast<std::uint32_t>(random_.Below(5));
      base::AppendLittle(payload, count);
      for (std::uint32_t i = 0; i < count; ++i) {
        base::AppendLittle(payload, Keyspace());
        payload += Noise(random_, 0) + std::string(24, static_cast<char>(random_.Below(3)));
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
      const auto count = static_cast<std::uint32_t>(random_.Below(5));
      base::AppendLittle(payload, count);
      for (std::uint32_t i = 0; i < count; ++i) {
        base::AppendLittle(payload, Keyspace());
        base::AppendLittle(payload, static_cast<std::uint16_t>(random_.Next()));
        base::AppendLittle(payload, static_cast<std::uint16_t>(random_.Next()));
        payload += std::string(24, static_cast<char>(random_.Below(3)));
      }
      return payload;
    }
    default: return {};
  }
}

std::string Draw::PurgeRequest() {
  server::purge::Request request;
  request.step = static_cast<server::purge::Step>(1 + random_.Below(2));
  request.epoch = Epoch();
  request.keyspace = Keyspace();
  request.horizon = random_.Chance(0.2)
                        ? Odd(random_)
                        : static_cast<std::uint64_t>(Simulation::kWallStartMs) << 16;
  for (std::uint64_t n = 1 + random_.Below(40); n > 0; --n)
    request.buckets.push_back(static_cast<std::uint16_t>(
        request.buckets.empty() || random_.Chance(0.9) ? random_.Next() : request.buckets.back()));
  return server::purge::EncodeRequest(request);
}

}  // namespace starling::sim
