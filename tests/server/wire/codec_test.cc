// Goal:   what no valid message says is refused, by name.
// Method: sound messages spoilt a field at a time, at each limit, and bytes of no meaning.
#include <rapidcheck.h>

#include "server/wire/client.pb.h"
#include "server/wire/codec.h"
#include "server/wire/frame.h"
#include "server/wire/limits.h"
#include "server/wire/peer.pb.h"
#include "tests/server/wire/encoded.h"
#include "tests/test.h"

namespace starling::wire {
namespace {

using base::Version;

TEST_SUITE("server/wire/codec") {
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
      (void)Decode<BucketPullReply>(bytes);
      (void)Decode<ValuePiece>(bytes);
      (void)Decode<ValuePieceReply>(bytes);
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

  TEST_CASE("a page's marks are of an epoch, and it is done or told up to a token") {
    const std::string most(kPurgedBytesMax, 'x'), more(kPurgedBytesMax + 1, 'x');
    const auto taken = [](const ReplicaScanReply& reply) {
      return Decode<ReplicaScanReply>(Encoded(reply)).has_value();
    };
    EXPECT(Encoded(ReplicaScanReply{.epoch = 1, .purged = most}).size() < kHeaderBytesMax);
    EXPECT(taken({.epoch = 1, .purged = most}));
    EXPECT(!taken({.epoch = 1, .purged = more}));
    EXPECT(!taken({.purged = most}));
    EXPECT(taken({.told_upto = 5}));
    EXPECT(!taken({.done = true, .told_upto = 5}));
  }

  TEST_CASE("a page of a version that knows no marks tells none") {
    v1::ReplicaScanReply pb;
    pb.set_done(true);
    const auto reply = Decode<ReplicaScanReply>(pb.SerializeAsString());
    REQUIRE(reply.has_value());
    EXPECT(reply->epoch == 0);
    EXPECT(reply->purged.empty());
    EXPECT(reply->told_upto == 0);
  }

  TEST_CASE("a value is announced with its key, and pieces are asked for within it") {
    std::string after;
    base::AppendBig(after, base::FirstToken(7));
    after += "key";
    const AnnouncedValue value{.version = {7, 1, 1}, .value_bytes = 100};
    const BucketPullReply good{.after = after, .further = {}, .announced = value};
    REQUIRE(RoundTrips(good));
    const auto refused = [](const auto& sound, auto&& spoil) {
      auto message = sound;
      spoil(message);
      const auto decoded = Decode<std::decay_t<decltype(sound)>>(Encoded(message));
      return !decoded && decoded.error().code() == base::Code::kInvalidArgument;
    };
    EXPECT(refused(good, [](auto& reply) { reply.done = true; }));
    EXPECT(refused(good, [](auto& reply) { reply.after = {}; }));
    EXPECT(refused(good, [](auto& reply) { reply.after = reply.after.substr(0, 8); }));
    EXPECT(refused(good, [](auto& reply) { reply.announced.version = {}; }));
    EXPECT(refused(good, [](auto& reply) { reply.announced.flags = 4; }));
    EXPECT(refused(good, [](auto& reply) { reply.announced.origin = 0; }));
    EXPECT(refused(good, [](auto& reply) { reply.announced.value_bytes = kValueBytesMax + 1; }));
    const ValuePiece piece{.keyspace = 1,
                           .key = "key",
                           .version = {7, 1, 1},
                           .value_bytes = 100,
                           .offset = 99,
                           .bytes_max = 1};
    REQUIRE(RoundTrips(piece));
    EXPECT(refused(piece, [](auto& ask) { ask.key = {}; }));
    EXPECT(refused(piece, [](auto& ask) { ask.version = {7, 0, 1}; }));
    EXPECT(refused(piece, [](auto& ask) { ask.value_bytes = 0; }));
    EXPECT(refused(piece, [](auto& ask) { ask.value_bytes = kValueBytesMax + 1; }));
    EXPECT(refused(piece, [](auto& ask) { ask.offset = 100; }));
    EXPECT(refused(piece, [](auto& ask) { ask.bytes_max = 0; }));
    EXPECT(refused(ValuePieceReply{.version = {7, 1, 1}}, [](auto& reply) { reply.version = {}; }));
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
    BucketPull pull{.bucket = 5, .after = after, .last_token = base::LastToken(5), .further = {}};
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

  TEST_CASE(
      "a pull of further buckets takes the first to its end, and names each once, ascending") {
    BucketPull pull{.bucket = 0x0305,
                    .after = {},
                    .last_token = base::LastToken(0x0305),
                    .further = "\x04\xff"};
    REQUIRE(RoundTrips(pull));
    SUBCASE("not to its end") { --pull.last_token; }
    SUBCASE("twice") { pull.further = "\x04\x04"; }
    SUBCASE("descending") { pull.further = "\xff\x04"; }
    SUBCASE("itself") { pull.further = "\x03"; }
    EXPECT(!Decode<BucketPull>(Encoded(pull)).has_value());
  }

  TEST_CASE("a page tells of no more buckets than a slice has, and of no more names than bytes") {
    BucketPullReply reply;
    reply.further.resize(255);
    REQUIRE(RoundTrips(reply));
    SUBCASE("too many") { reply.further.resize(256); }
    SUBCASE("names") { reply.further[7] = {.names_bytes = 2, .bytes = 1}; }
    EXPECT(!Decode<BucketPullReply>(Encoded(reply)).has_value());
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
