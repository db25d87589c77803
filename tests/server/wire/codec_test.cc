// Goal:   what is encoded is decoded again, and what no valid message says is refused by name.
// Method: RapidCheck draws messages; encoded again, the decoded one must give the same bytes.
#include <rapidcheck.h>

#include "server/wire/client.pb.h"
#include "server/wire/codec.h"
#include "server/wire/limits.h"
#include "server/wire/peer.pb.h"
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

template <typename Message>
std::string Encoded(const Message& message) {
  std::string out;
  EncodeTo(message, out);
  return out;
}

// Views of the decoded message must hold while it is encoded again.
template <typename Message>
bool RoundTrips(const Message& message) {
  const std::string once = Encoded(message);
  const auto decoded = Decode<Message>(once);
  return decoded && Encoded(*decoded) == once;
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

TEST_SUITE("server/wire/codec") {
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
                           .stamp = Draw<bool>() ? DrawVersion() : Version{}};
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
                                       .deadline_ms = Draw<std::uint32_t>()}));
      RC_ASSERT(RoundTrips(
          ReplicaScanReply{.done = Draw<bool>(), .payload_digest = Draw<std::uint64_t>()}));
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
                                      .purged = Draw<std::uint64_t>()}));
      RC_ASSERT(RoundTrips(BucketPullReply{.done = Draw<bool>(),
                                           .after = key,
                                           .payload_digest = Draw<std::uint64_t>(),
                                           .unreadable = Draw<std::uint64_t>(),
                                           .epoch = Draw<std::uint64_t>(),
                                           .purged = Draw<std::uint64_t>(),
                                           .named_upto = Draw<std::uint64_t>(),
                                           .names_bytes = Draw<std::uint32_t>()}));
      RC_ASSERT(RoundTrips(ClusterMapReply{.payload_digest = Draw<std::uint64_t>()}));
      RC_ASSERT(RoundTrips(ControlRequest{.topic = static_cast<ControlTopic>(Draw(1, 9)),
                                          .payload_digest = Draw<std::uint64_t>()}));
      RC_ASSERT(RoundTrips(ControlReply{.payload_digest = Draw<std::uint64_t>()}));
    }));
  }

  TEST_CASE("random bytes decode or are refused, and never crash") {
    EXPECT(rc::check([](const std::string& bytes) {
      (void)Decode<PutRequest>(bytes);
      (void)Decode<GetReply>(bytes);
      (void)Decode<ClusterMap>(bytes);
      (void)Decode<Hello>(bytes);
      (void)Decode<ErrorReply>(bytes);
      (void)Decode<ReplicaWrite>(bytes);
      (void)Decode<BucketParts>(bytes);
      (void)Decode<BucketPartsReply>(bytes);
      (void)Decode<BucketPull>(bytes);
    }));
  }

  TEST_CASE("a refusal names the message and the field") {
    v1::PutRequest pb;
    pb.set_key("k");
    pb.set_level(v1::CONSISTENCY_QUORUM);
    SUBCASE("the sound request is taken") {
      EXPECT(Decode<PutRequest>(pb.SerializeAsString()).has_value());
    }
    SUBCASE("an empty key") {
      pb.clear_key();
      EXPECT(Decode<PutRequest>(pb.SerializeAsString()).error().message() ==
             "PutRequest: the key is empty");
    }
    SUBCASE("a key over the limit") {
      pb.set_key(std::string(kKeyBytesMax + 1, 'x'));
      EXPECT(Decode<PutRequest>(pb.SerializeAsString()).error().message() ==
             "PutRequest: key of 32769 bytes, at most 32768 are taken");
    }
    SUBCASE("no level") {
      pb.clear_level();
      EXPECT(Decode<PutRequest>(pb.SerializeAsString()).error().message() ==
             "PutRequest: level 0 is unknown");
    }
    SUBCASE("a level of the future") {
      pb.set_level(static_cast<v1::Consistency>(99));
      EXPECT(Decode<PutRequest>(pb.SerializeAsString()).error().message() ==
             "PutRequest: level 99 is unknown");
    }
    SUBCASE("a delete that expires") {
      pb.set_tombstone(true);
      pb.set_ttl_ms(5);
      EXPECT(!Decode<PutRequest>(pb.SerializeAsString()).has_value());
    }
  }

  TEST_CASE("a placement that does not add up is refused") {
    v1::ClusterMap pb;
    auto* placement = pb.add_placements();
    placement->add_first_bucket_step(0);
    placement->add_replica_count(2);
    placement->add_replicas(1);
    placement->add_replicas(2);
    auto* keyspace = pb.add_keyspaces();
    keyspace->set_id(1);
    SUBCASE("the sound one is taken") {
      EXPECT(Decode<ClusterMap>(pb.SerializeAsString())->keyspaces[0].ranges[0].replicas ==
             std::vector<base::NodeNumber>{1, 2});
    }
    SUBCASE("a replica too few") {
      placement->mutable_replicas()->RemoveLast();
      EXPECT(!Decode<ClusterMap>(pb.SerializeAsString()).has_value());
    }
    SUBCASE("a replica too many") {
      placement->add_replicas(3);
      EXPECT(!Decode<ClusterMap>(pb.SerializeAsString()).has_value());
    }
    SUBCASE("a gap before the first range") {
      placement->set_first_bucket_step(0, 5);
      EXPECT(!Decode<ClusterMap>(pb.SerializeAsString()).has_value());
    }
    SUBCASE("a range beyond the last bucket") {
      placement->add_first_bucket_step(65536);
      placement->add_replica_count(0);
      EXPECT(!Decode<ClusterMap>(pb.SerializeAsString()).has_value());
    }
    SUBCASE("two ranges at one bucket") {
      placement->add_first_bucket_step(0);
      placement->add_replica_count(0);
      EXPECT(!Decode<ClusterMap>(pb.SerializeAsString()).has_value());
    }
    SUBCASE("a placement that is not there") {
      keyspace->set_placement(1);
      EXPECT(!Decode<ClusterMap>(pb.SerializeAsString()).has_value());
    }
  }

  TEST_CASE("enums and small integers of peers are refused when out of range") {
    v1::ReplicaWriteReply reply;
    EXPECT(!Decode<ReplicaWriteReply>(reply.SerializeAsString()).has_value());
    v1::ControlRequest control;
    for (const int nobodys : {0, 10, 99}) {
      control.set_topic(static_cast<v1::ControlTopic>(nobodys));
      EXPECT(!Decode<ControlRequest>(control.SerializeAsString()).has_value());
    }
    v1::SliceHashesRequest hashes;
    hashes.set_slice(256);
    EXPECT(!Decode<SliceHashesRequest>(hashes.SerializeAsString()).has_value());
    v1::BucketParts parts;
    parts.set_first_token(base::FirstToken(5));
    parts.set_last_token(base::LastToken(6));
    EXPECT(!Decode<BucketParts>(parts.SerializeAsString()).has_value());
    parts.set_last_token(base::FirstToken(5) - 1);
    EXPECT(!Decode<BucketParts>(parts.SerializeAsString()).has_value());
    v1::BucketPull pull;
    pull.set_bucket(65536);
    EXPECT(!Decode<BucketPull>(pull.SerializeAsString()).has_value());
    v1::ReplicaScan scan;
    scan.set_from_token(1);
    EXPECT(!Decode<ReplicaScan>(scan.SerializeAsString()).has_value());
    v1::ReplicaWrite write;
    write.set_key("k");
    EXPECT(Decode<ReplicaWrite>(write.SerializeAsString()).error().message() ==
           "ReplicaWrite: the version is absent");
  }

  TEST_CASE("what no engine stores is refused: flags, origins, expiries, versions") {
    const ReplicaWrite good{.keyspace = 1, .key = "k", .version = {7, 1, 1}};
    REQUIRE(RoundTrips(good));
    const auto refused = [&](auto&& spoil) {
      ReplicaWrite write = good;
      spoil(write);
      const auto decoded = Decode<ReplicaWrite>(Encoded(write));
      return !decoded && decoded.error().code() == base::Code::kInvalidArgument;
    };
    EXPECT(refused([](auto& write) { write.flags = kEntryFlagsKnown + 1; }));
    EXPECT(refused([](auto& write) { write.flags = 0x80; }));
    EXPECT(refused([](auto& write) { write.origin = 0; }));
    EXPECT(refused([](auto& write) { write.origin = kEntryOriginMax + 1; }));
    EXPECT(refused([](auto& write) { write.expiry_ms = kExpiryMsMax + 1; }));
    EXPECT(refused([](auto& write) { write.version.node = 0; }));
    EXPECT(refused([](auto& write) { write.version.timestamp = 0; }));
    EXPECT(refused([](auto& write) { write.version.timestamp = kTimestampMax + 1; }));
    EXPECT(!refused([](auto& write) { write.version.timestamp = kTimestampMax; }));
    EXPECT(!Decode<ReplicaReadReply>(Encoded(ReplicaReadReply{.version = {7, 1, 1}, .flags = 4}))
                .has_value());
    EXPECT(
        !Decode<ReplicaWriteReply>(Encoded(ReplicaWriteReply{.held = {~0ULL, 1, 1}})).has_value());
  }

  TEST_CASE("a put's time to live and the stamp it repeats are bounded") {
    const auto accepted = [](const PutRequest& put) {
      const auto decoded = Decode<PutRequest>(Encoded(put));
      return decoded || decoded.error().code() != base::Code::kInvalidArgument;
    };
    EXPECT(accepted({.key = "k", .ttl_ms = kTtlMsMax, .stamp = {7, 1, 1}}));
    EXPECT(!accepted({.key = "k", .ttl_ms = kTtlMsMax + 1, .stamp = {}}));
    EXPECT(!accepted({.key = "k", .ttl_ms = ~0ULL, .stamp = {}}));
    EXPECT(!accepted({.key = "k", .stamp = {7, 0, 1}}));
    EXPECT(!accepted({.key = "k", .stamp = {~0ULL, 1, 1}}));
    v1::PutRequest empty;
    empty.set_key("k");
    empty.set_level(v1::CONSISTENCY_ONE);
    empty.mutable_stamp()->set_node(1);
    EXPECT(!Decode<PutRequest>(empty.SerializeAsString()).has_value());
  }

  TEST_CASE("a pull asks for a part of one bucket") {
    std::string after;
    base::AppendBig(after, base::FirstToken(5));
    BucketPull pull{.bucket = 5, .after = after, .last_token = base::LastToken(5)};
    REQUIRE(RoundTrips(pull));
    SUBCASE("up to another bucket") { pull.last_token = base::FirstToken(6); }
    SUBCASE("from another bucket") { pull.bucket = 6; }
    SUBCASE("from beyond its end") {
      pull.last_token = base::FirstToken(5);
      after.back() = 1;
      pull.after = after;
    }
    SUBCASE("from no token") { pull.after = "1234567"; }
    EXPECT(!Decode<BucketPull>(Encoded(pull)).has_value());
  }

  TEST_CASE("an error's text may be any bytes, and is cut to what its reader takes") {
    const ErrorReply error{.code = base::Code::kTimeout,
                           .message = "key '\xff\xfe'" + std::string(9000, '.'),
                           .stamp = {}};
    const std::string bytes = Encoded(error);
    EXPECT(Decode<ErrorReply>(bytes)->message == error.message.substr(0, kErrorBytesMax));
  }

  TEST_CASE("levels have names in any case, and an unknown one is answered with the choices") {
    EXPECT(*ParseConsistency("quorum") == Consistency::kQuorum);
    EXPECT(*ParseConsistency("Local_Quorum") == Consistency::kLocalQuorum);
    EXPECT(ParseConsistency("most").error().message() ==
           "'most' is not a consistency level: take one of ONE, TWO, QUORUM, LOCAL_QUORUM, ALL");
    EXPECT(!ParseConsistency("").has_value());
  }
}

}  // namespace
}  // namespace starling::wire
