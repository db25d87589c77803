// Goal:   what is encoded is decoded again, every field.
// Method: RapidCheck draws messages; encoded again, the decoded one must give the same bytes.
#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <vector>

#include "server/wire/codec.h"
#include "server/wire/limits.h"
#include "tests/server/wire/encoded.h"
#include "tests/test.h"

namespace starling::wire {
namespace {

using base::Version;

template <typename T>
T Draw() {
  return *rc::gen::arbitrary<T>();
}
template <typename T>
T Draw(T low, T high) {
  return *rc::gen::inRange<T>(low, static_cast<T>(high + 1));
}
std::string DrawText(std::size_t size_max) {
  auto text = Draw<std::string>();
  text.resize(std::min(text.size(), size_max));
  return text;
}
std::string DrawKey() { return *rc::gen::nonEmpty<std::string>(); }
Version DrawVersion() {
  return {(Draw<std::uint64_t>() & kTimestampMax) | 1, Draw<std::uint32_t>() | 1,
          Draw<std::uint32_t>()};
}
std::uint8_t DrawFlags() { return static_cast<std::uint8_t>(Draw<int>(0, kEntryFlagsKnown)); }
std::uint8_t DrawOrigin() { return static_cast<std::uint8_t>(Draw<int>(1, kEntryOriginMax)); }
std::uint64_t DrawExpiry() { return Draw<std::uint64_t>() % (kExpiryMsMax + 1); }
base::HostId DrawHost() { return {Draw<std::uint64_t>(), Draw<std::uint64_t>()}; }
Consistency DrawLevel() { return static_cast<Consistency>(Draw<int>(1, 5)); }
std::vector<base::NodeNumber> DrawReplicas() {
  auto replicas = Draw<std::vector<base::NodeNumber>>();
  replicas.resize(std::min(replicas.size(), kReplicasMax));
  return replicas;
}

ClusterMap DrawMap() {
  ClusterMap map{.cluster_name = DrawText(kNameBytesMax),
                 .cluster_id = DrawHost(),
                 .epoch = Draw<std::uint64_t>(),
                 .token_seed = Draw<std::uint64_t>(),
                 .nodes = {},
                 .keyspaces = {}};
  for (std::uint32_t n = Draw(0, 5); n > 0; --n)
    map.nodes.push_back({.number = n,
                         .host = DrawHost(),
                         .client = {Draw<std::uint32_t>(), Draw<std::uint16_t>()},
                         .dc = DrawText(9),
                         .rack = DrawText(9),
                         .up = Draw<bool>()});
  std::vector<ClusterMap::Range> ranges = {{0, DrawReplicas()}};
  for (int bucket = Draw(1, 30000); bucket < 65536; bucket += Draw(1, 30000))
    ranges.push_back({static_cast<std::uint16_t>(bucket), DrawReplicas()});
  for (std::uint32_t n = Draw(0, 3); n > 0; --n)
    map.keyspaces.push_back({.id = n,
                             .name = DrawText(9),
                             .replication = DrawText(9),
                             .effective_factor = Draw<std::uint32_t>(),
                             .ranges = ranges});
  return map;
}

TEST_SUITE("server/wire/round_trips") {
  TEST_CASE("a put survives the wire field by field") {
    EXPECT(rc::check([] {
      const std::string key = DrawKey();
      const bool tombstone = Draw<bool>();
      const PutRequest put{.keyspace = Draw<std::uint32_t>(),
                           .key = key,
                           .tombstone = tombstone,
                           .ttl_ms = tombstone ? 0 : Draw<std::uint64_t>() % (kTtlMsMax + 1),
                           .level = DrawLevel(),
                           .deadline_ms = Draw<std::uint32_t>(),
                           .value_digest = Draw<std::uint64_t>(),
                           .stamp = Draw<bool>() ? DrawVersion() : Version{},
                           .restored = Draw<bool>()};
      const std::string bytes = Encoded(put);
      const auto got = Decode<PutRequest>(bytes);
      RC_ASSERT(got.has_value());
      RC_ASSERT(got->keyspace == put.keyspace);
      RC_ASSERT(got->key == put.key);
      RC_ASSERT(got->tombstone == put.tombstone);
      RC_ASSERT(got->ttl_ms == put.ttl_ms);
      RC_ASSERT(got->level == put.level);
      RC_ASSERT(got->deadline_ms == put.deadline_ms);
      RC_ASSERT(got->value_digest == put.value_digest);
      RC_ASSERT(got->stamp == put.stamp);
      RC_ASSERT(got->restored == put.restored);
    }));
  }

  TEST_CASE("the data messages of clients round-trip") {
    EXPECT(rc::check([] {
      const std::string key = DrawKey();
      RC_ASSERT(RoundTrips(PutReply{.version = DrawVersion(), .replicas = DrawReplicas()}));
      RC_ASSERT(RoundTrips(GetRequest{.keyspace = Draw<std::uint32_t>(),
                                      .key = key,
                                      .level = DrawLevel(),
                                      .deadline_ms = Draw<std::uint32_t>(),
                                      .want_value = Draw<bool>()}));
      RC_ASSERT(RoundTrips(GetReply{.found = Draw<bool>(),
                                    .version = DrawVersion(),
                                    .expiry_ms = Draw<std::uint64_t>(),
                                    .value_digest = Draw<std::uint64_t>(),
                                    .replicas = DrawReplicas()}));
      RC_ASSERT(RoundTrips(ScanRequest{.keyspace = Draw<std::uint32_t>(),
                                       .from_token = Draw<std::uint64_t>(),
                                       .after_key = key,
                                       .level = DrawLevel(),
                                       .deadline_ms = Draw<std::uint32_t>(),
                                       .bytes_max = Draw<std::uint32_t>()}));
      RC_ASSERT(RoundTrips(ScanReply{.done = Draw<bool>(),
                                     .next_token = Draw<std::uint64_t>(),
                                     .next_after_key = key,
                                     .payload_digest = Draw<std::uint64_t>()}));
    }));
  }

  TEST_CASE("handshake, errors, keyspaces and operators' requests round-trip") {
    EXPECT(rc::check([] {
      RC_ASSERT(RoundTrips(Hello{.protocol_min = 1,
                                 .protocol_max = Draw(1U, 9U),
                                 .role = static_cast<Role>(Draw(1, 3)),
                                 .cluster_name = DrawText(kNameBytesMax),
                                 .cluster_id = DrawHost(),
                                 .host = DrawHost(),
                                 .boot = Draw<std::uint64_t>(),
                                 .epoch = Draw<std::uint64_t>(),
                                 .worker = Draw<std::uint32_t>()}));
      RC_ASSERT(RoundTrips(HelloReply{.protocol = Draw(1U, 9U),
                                      .cluster_name = DrawText(kNameBytesMax),
                                      .cluster_id = DrawHost(),
                                      .host = DrawHost(),
                                      .boot = Draw<std::uint64_t>(),
                                      .epoch = Draw<std::uint64_t>(),
                                      .token_seed = Draw<std::uint64_t>(),
                                      .key_bytes_max = Draw<std::uint32_t>(),
                                      .value_bytes_max = Draw<std::uint32_t>(),
                                      .in_flight_max = Draw<std::uint32_t>()}));
      RC_ASSERT(RoundTrips(ErrorReply{.code = static_cast<base::Code>(Draw(1, 9)),
                                      .message = DrawText(kErrorBytesMax),
                                      .stamp = DrawVersion()}));
      RC_ASSERT(RoundTrips(CreateKeyspaceRequest{.name = DrawKey().substr(0, kNameBytesMax),
                                                 .replication = DrawText(kReplicationBytesMax),
                                                 .deadline_ms = Draw<std::uint32_t>()}));
      RC_ASSERT(RoundTrips(CreateKeyspaceReply{.id = Draw<std::uint32_t>(), .existed = true}));
      RC_ASSERT(RoundTrips(AdminRequest{.command = "status",
                                        .deadline_ms = Draw<std::uint32_t>(),
                                        .payload_digest = Draw<std::uint64_t>()}));
      RC_ASSERT(RoundTrips(AdminReply{.payload_digest = Draw<std::uint64_t>()}));
    }));
  }

  TEST_CASE("a cluster map round-trips, and keyspaces placed alike share their placement") {
    EXPECT(rc::check([] {
      ClusterMap map = DrawMap();
      RC_ASSERT(RoundTrips(map));
      map.keyspaces.assign(1, {.id = 1,
                               .name = "a",
                               .replication = "simple:3",
                               .effective_factor = 3,
                               .ranges = {{0, DrawReplicas()}}});
      const std::size_t one = Encoded(map).size();
      map.keyspaces.push_back(map.keyspaces.front());
      RC_ASSERT(Encoded(map).size() <= one + 32);
    }));
  }

  TEST_CASE("the messages of replicas round-trip") {
    EXPECT(rc::check([] {
      const std::string key = DrawKey();
      RC_ASSERT(RoundTrips(ReplicaWrite{.keyspace = Draw<std::uint32_t>(),
                                        .key = key,
                                        .version = DrawVersion(),
                                        .flags = DrawFlags(),
                                        .origin = DrawOrigin(),
                                        .expiry_ms = DrawExpiry(),
                                        .value_digest = Draw<std::uint64_t>(),
                                        .epoch = Draw<std::uint64_t>(),
                                        .number = Draw(1000U, 2000U),
                                        .unhandled = Draw(0U, 999U)}));
      RC_ASSERT(RoundTrips(Handled{.below = Draw<std::uint64_t>()}));
      RC_ASSERT(RoundTrips(HandledReply{}));
      RC_ASSERT(RoundTrips(ReplicaWriteReply{.outcome = static_cast<WriteOutcome>(Draw(1, 4)),
                                             .held = DrawVersion()}));
      RC_ASSERT(RoundTrips(ReplicaRead{.keyspace = Draw<std::uint32_t>(),
                                       .key = key,
                                       .want_value = Draw<bool>(),
                                       .epoch = Draw<std::uint64_t>(),
                                       .deadline_ms = Draw<std::uint32_t>()}));
      RC_ASSERT(RoundTrips(ReplicaReadReply{.version = DrawVersion(),
                                            .flags = DrawFlags(),
                                            .origin = DrawOrigin(),
                                            .expiry_ms = DrawExpiry(),
                                            .value_digest = Draw<std::uint64_t>()}));
      const auto from = Draw<std::uint64_t>();
      RC_ASSERT(RoundTrips(ReplicaScan{.keyspace = Draw<std::uint32_t>(),
                                       .from_token = from,
                                       .after_key = key,
                                       .last_token = from | Draw<std::uint64_t>(),
                                       .bytes_max = Draw<std::uint32_t>(),
                                       .epoch = Draw<std::uint64_t>(),
                                       .deadline_ms = Draw<std::uint32_t>(),
                                       .with_marks = Draw<bool>()}));
      const auto done = Draw<bool>();
      RC_ASSERT(RoundTrips(ReplicaScanReply{.done = done,
                                            .payload_digest = Draw<std::uint64_t>(),
                                            .epoch = Draw<std::uint64_t>() | 1,
                                            .purged = key,
                                            .told_upto = done ? 0 : Draw<std::uint64_t>()}));
    }));
  }

  TEST_CASE("the messages of repair and control round-trip") {
    EXPECT(rc::check([] {
      const std::string key = DrawKey();
      RC_ASSERT(RoundTrips(SliceHashesRequest{.keyspace = Draw<std::uint32_t>(),
                                              .slice = Draw<std::uint8_t>(),
                                              .salt = Draw<std::uint64_t>(),
                                              .epoch = Draw<std::uint64_t>(),
                                              .cut_s = Draw<std::int64_t>()}));
      RC_ASSERT(RoundTrips(SliceHashesReply{.epoch = Draw<std::uint64_t>(),
                                            .payload_digest = Draw<std::uint64_t>()}));
      const auto bucket = Draw<std::uint16_t>();
      RC_ASSERT(RoundTrips(BucketParts{.keyspace = Draw<std::uint32_t>(),
                                       .first_token = base::FirstToken(bucket) + 7,
                                       .last_token = base::LastToken(bucket),
                                       .salt = Draw<std::uint64_t>(),
                                       .epoch = Draw<std::uint64_t>(),
                                       .payload_digest = Draw<std::uint64_t>(),
                                       .cut_s = Draw<std::int64_t>(),
                                       .purged = Draw<std::uint64_t>()}));
      RC_ASSERT(RoundTrips(BucketPartsReply{.payload_digest = Draw<std::uint64_t>()}));
      std::string after;
      base::AppendBig(after, base::FirstToken(bucket));
      RC_ASSERT(RoundTrips(BucketPull{.keyspace = Draw<std::uint32_t>(),
                                      .bucket = bucket,
                                      .after = after + key,
                                      .bytes_max = Draw<std::uint32_t>(),
                                      .epoch = Draw<std::uint64_t>(),
                                      .payload_digest = Draw<std::uint64_t>(),
                                      .last_token = base::LastToken(bucket),
                                      .cut_s = Draw<std::int64_t>(),
                                      .purged = Draw<std::uint64_t>(),
                                      .further = base::LeafOf(bucket) < 250 ? "\xfb\xff" : "",
                                      .whole_bytes_max = Draw<std::uint32_t>()}));
      std::vector<FurtherBucket> further;
      for (std::uint32_t n = Draw(0, 255); n > 0; --n)
        further.push_back({.unreadable = Draw<std::uint64_t>(),
                           .purged = Draw<std::uint64_t>(),
                           .named_upto = Draw<std::uint64_t>(),
                           .names_bytes = Draw(0u, 1000u),
                           .bytes = Draw(1000u, 2000u)});
      RC_ASSERT(RoundTrips(BucketPullReply{.done = Draw<bool>(),
                                           .after = key,
                                           .payload_digest = Draw<std::uint64_t>(),
                                           .unreadable = Draw<std::uint64_t>(),
                                           .epoch = Draw<std::uint64_t>(),
                                           .purged = Draw<std::uint64_t>(),
                                           .named_upto = Draw<std::uint64_t>(),
                                           .names_bytes = Draw<std::uint32_t>(),
                                           .further = further}));
      const AnnouncedValue announced{.version = DrawVersion(),
                                     .flags = DrawFlags(),
                                     .origin = DrawOrigin(),
                                     .expiry_ms = DrawExpiry(),
                                     .value_digest = Draw<std::uint64_t>(),
                                     .value_bytes = Draw(1u, 1u << 24)};
      RC_ASSERT(
          RoundTrips(BucketPullReply{.after = after + key, .further = {}, .announced = announced}));
      const auto offset = Draw(0u, announced.value_bytes - 1);
      RC_ASSERT(RoundTrips(ValuePiece{.keyspace = Draw<std::uint32_t>(),
                                      .key = key,
                                      .version = announced.version,
                                      .value_digest = announced.value_digest,
                                      .value_bytes = announced.value_bytes,
                                      .offset = offset,
                                      .bytes_max = Draw(1u, 1u << 30),
                                      .epoch = Draw<std::uint64_t>()}));
      RC_ASSERT(RoundTrips(ValuePieceReply{.version = announced.version,
                                           .offset = offset,
                                           .payload_digest = Draw<std::uint64_t>()}));
      RC_ASSERT(RoundTrips(ClusterMapReply{.payload_digest = Draw<std::uint64_t>()}));
      RC_ASSERT(RoundTrips(ControlRequest{.topic = static_cast<ControlTopic>(Draw(1, 9)),
                                          .payload_digest = Draw<std::uint64_t>()}));
      RC_ASSERT(RoundTrips(ControlReply{.payload_digest = Draw<std::uint64_t>(),
                                        .boot = Draw<std::uint64_t>(),
                                        .mark = Draw<std::uint64_t>()}));
    }));
  }
}

}  // namespace
}  // namespace starling::wire
