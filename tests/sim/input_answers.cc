// tests/sim/input_answers.cc: what a peer may answer, right or wrong.
#include "base/bytes.h"
#include "server/purge/purged_runs.h"
#include "server/purge/round.h"
#include "tests/sim/input_draw.h"

namespace starling::sim {

using wire::Kind;

std::string Draw::Answer(const wire::Frame& asked, double chance) {
  const std::uint64_t id = random_.Chance(0.01) ? Odd(random_) : asked.request_id;
  std::uint64_t what = static_cast<std::uint64_t>(asked.kind);
  if (random_.Chance(0.05)) what = 64 + random_.Below(40);
  if (random_.Chance(0.05))
    return Framed(id,
                  wire::ErrorReply{static_cast<base::Code>(1 + random_.Below(9)),
                                   Noise(random_, 50), Version()},
                  chance);
  switch (static_cast<Kind>(what)) {
    case Kind::kReplicaWrite:
      return Framed(
          id,
          wire::ReplicaWriteReply{static_cast<wire::WriteOutcome>(1 + random_.Below(4)), Version()},
          chance);
    case Kind::kReplicaRead: {
      const wire::ReplicaReadReply reply{.version = Version(),
                                         .flags = Small(4),
                                         .origin = Small(6),
                                         .expiry_ms = Odd(random_),
                                         .epoch = Epoch(),
                                         .purged = Mark()};
      return Framed(id, reply, Value(), chance, &wire::ReplicaReadReply::value_digest);
    }
    case Kind::kReplicaScan: {
      const std::string purged =
          random_.Chance(0.7) ? server::purge::EncodeRuns(
                                    {{1 + static_cast<std::uint32_t>(random_.Below(65536)), Mark()},
                                     {1 + static_cast<std::uint32_t>(random_.Below(300)), Mark()}})
                              : Noise(random_, 40);
      const wire::ReplicaScanReply reply{.done = random_.Chance(0.7),
                                         .epoch = Epoch(),
                                         .purged = purged,
                                         .told_upto = random_.Chance(0.2) ? Odd(random_) : 0};
      return Framed(id, reply, Packed(), chance, &wire::ReplicaScanReply::payload_digest);
    }
    case Kind::kSliceHashes:
      return Framed(id, wire::SliceHashesReply{.epoch = Epoch()},
                    std::string(1024, static_cast<char>(random_.Below(3))), chance,
                    &wire::SliceHashesReply::payload_digest);
    case Kind::kHandled: return Framed(id, wire::HandledReply{}, chance);
    case Kind::kBucketParts:
      return Framed(id, wire::BucketPartsReply{}, Noise(random_, 8), chance,
                    &wire::BucketPartsReply::payload_digest);
    case Kind::kValuePiece: {
      const auto piece = wire::Decode<wire::ValuePiece>(asked.header);
      const wire::ValuePieceReply reply{
          .version = piece && random_.Chance(0.8) ? piece->version : Version(),
          .offset = piece && random_.Chance(0.8) ? piece->offset
                                                 : static_cast<std::uint32_t>(Odd(random_))};
      return Framed(id, reply, random_.Chance(0.5) ? "value" : Noise(random_, 300), chance,
                    &wire::ValuePieceReply::payload_digest);
    }
    case Kind::kBucketPull: {
      const std::string after = random_.Chance(0.7) ? Noise(random_, 20) : "";
      wire::BucketPullReply reply{.done = random_.Chance(0.7),
                                  .after = after,
                                  .epoch = Epoch(),
                                  .purged = Mark(),
                                  .further = {}};
      std::string names;
      if (random_.Chance(0.5)) {
        reply.named_upto = random_.Chance(0.7) ? reply.purged : Mark();
        names = Noise(random_, 100);
        reply.names_bytes =
            static_cast<std::uint32_t>(random_.Chance(0.8) ? names.size() : Odd(random_));
      }
      std::string payload = names + Packed();
      for (std::uint64_t n = random_.Chance(0.3) ? random_.Below(4) : 0; n > 0; --n) {
        const std::string more = Packed();
        payload += more;
        reply.further.push_back({.unreadable = Odd(random_),
                                 .purged = Mark(),
                                 .named_upto = random_.Chance(0.5) ? Mark() : 0,
                                 .bytes = static_cast<std::uint32_t>(
                                     random_.Chance(0.8) ? more.size() : Odd(random_))});
      }
      std::string announced_at;
      if (random_.Chance(0.3)) {
        const std::string key = Key();
        base::AppendBig(announced_at, base::TokenOf(key, facts_.map.token_seed));
        announced_at += key;
        reply.done = random_.Chance(0.1);
        reply.after = random_.Chance(0.9) ? base::Bytes(announced_at) : base::Bytes(after);
        reply.announced = {
            .version = Version(),
            .flags = Small(4),
            .origin = Small(6),
            .expiry_ms = Odd(random_),
            .value_digest = DigestOf("value"),
            .value_bytes = random_.Chance(0.7) ? 5U : static_cast<std::uint32_t>(Odd(random_))};
      }
      return Framed(id, reply, payload, chance, &wire::BucketPullReply::payload_digest);
    }
    default:
      return Framed(id, wire::ControlReply{}, ControlAnswer(asked), chance,
                    &wire::ControlReply::payload_digest);
  }
}

std::string Draw::PurgeReport(base::Bytes asked) {
  server::purge::Report report;
  report.epoch = Epoch();
  const auto request = server::purge::DecodeRequest(asked);
  const std::size_t count =
      request && random_.Chance(0.8) ? request->buckets.size() : random_.Below(9);
  report.digests.resize(count);
  return server::purge::EncodeReport(report);
}

std::string Draw::ControlAnswer(const wire::Frame& asked) {
  const auto request = wire::Decode<wire::ControlRequest>(asked.header);
  if (!request || random_.Chance(0.1)) return Noise(random_, 60);
  if (request->topic == wire::ControlTopic::kTopology)
    return Mutated(random_, facts_.topology, 0.3);
  if (request->topic == wire::ControlTopic::kPurge) return PurgeReport(asked.payload);
  if (request->topic == wire::ControlTopic::kProve) {
    std::string answer;
    base::AppendLittle(answer, Epoch());
    const auto count = static_cast<std::uint32_t>(asked.payload.size() / 32);
    base::AppendLittle(answer, count);
    return answer + std::string(count, static_cast<char>(random_.Below(3)));
  }
  if (request->topic != wire::ControlTopic::kCompare) return GossipMessage();
  std::string answer;
  base::AppendLittle(answer, Epoch());
  base::AppendLittle(answer, std::uint32_t{1});
  base::AppendLittle(answer, Keyspace());
  answer.push_back(random_.Chance(0.3) ? '\1' : '\0');
  return answer + std::string(2048, static_cast<char>(random_.Below(3)));
}

}  // namespace starling::sim
