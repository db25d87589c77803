// Goal:   a node that has not caught up answers no read, neither another node's nor a client's,
//         and takes writes all the same; a replica behind in purging is told all of a bucket, and
//         a scan what was purged before its page was read.
// Method: a real worker that control calls ready or not, with an entry or a mark in its engine;
//         peers and a client ask it.
#include <functional>
#include <string>
#include <utility>

#include "server/purge/marks.h"
#include "server/purge/purged_runs.h"
#include "server/purge/round.h"
#include "server/purge/rules.h"
#include "storage/entry.h"
#include "tests/server/one_worker.h"
#include "tests/test.h"

namespace starling::server {
namespace {

constexpr wire::Consistency kOne = wire::Consistency::kOne;

Told Put(OneWorker& node, base::Bytes key, base::Bytes value) {
  return node.Ask(wire::PutRequest{.keyspace = kDefault,
                                   .key = key,
                                   .level = kOne,
                                   .value_digest = storage::ValueDigest(value),
                                   .stamp = {}},
                  value);
}

wire::ReplicaRead ReadOf(const OneWorker& node, base::Bytes key) {
  return {.keyspace = kDefault, .key = key, .want_value = true, .epoch = node.topology().epoch};
}

TEST_SUITE("server/worker: a node that is not ready") {
  TEST_CASE("refuses another node's reads until it is ready") {
    OneWorker node(topology::FoundedBy(2));
    node.ready = false;
    node.Start({2});
    REQUIRE(CodeOf(Put(node, "key", "value")) == base::Code::kOk);
    EXPECT(CodeOf(AskAsPeer(node, ReadOf(node, "key"))) == base::Code::kUnavailable);

    node.ready = true;
    node.Publish({2});
    EXPECT(AskAsPeer(node, ReadOf(node, "key")).payload == "value");
  }

  TEST_CASE("refuses another node's pages") {
    OneWorker node(topology::FoundedBy(2));
    node.ready = false;
    node.Start({2});
    REQUIRE(CodeOf(Put(node, "key", "value")) == base::Code::kOk);
    const base::Token token = node.TokenOf("key");
    const wire::ReplicaScan scan{.keyspace = kDefault,
                                 .from_token = token,
                                 .after_key = {},
                                 .last_token = token,
                                 .bytes_max = 4096,
                                 .epoch = node.topology().epoch};
    EXPECT(CodeOf(AskAsPeer(node, scan)) == base::Code::kUnavailable);

    node.ready = true;
    node.Publish({2});
    EXPECT(AskAsPeer(node, scan).kind == wire::Kind::kReplicaScanReply);
  }

  TEST_CASE("a read that began before the owners changed is answered by the new ones") {
    OneWorker node(topology::FoundedBy(3));
    const std::uint64_t changed = node.topology().epoch + 1;
    std::size_t refused = 0;
    const auto answer = [&](const wire::Frame& asked) {
      if (asked.kind != wire::Kind::kReplicaRead) return std::string();
      if (wire::Decode<wire::ReplicaRead>(asked.header)->epoch < changed) {
        ++refused;
        return FrameOf(asked.request_id, wire::ErrorOf(base::FailedPrecondition("owners changed")));
      }
      return FrameOf(asked.request_id,
                     wire::ReplicaReadReply{.version = {1ULL << 50, 1, 2},
                                            .value_digest = storage::ValueDigest("value")},
                     "value");
    };
    node.peer(2).answer = node.peer(3).answer = answer;
    node.ready = false;  // So that it takes both of the others.
    node.Start({2, 3});
    const std::uint64_t read = node.Begin(
        wire::GetRequest{.keyspace = kDefault, .key = "key", .level = wire::Consistency::kQuorum});
    REQUIRE(node.Await(base::seconds(1), [&] { return refused >= 2; }));
    node.Publish({2, 3}, 1, true);
    EXPECT(node.AnswerTo(read).payload == "value");
  }

  TEST_CASE("answers a client's get at ONE from another replica, and with none not at all") {
    OneWorker node(topology::FoundedBy(2));
    node.ready = false;
    node.peer(2).answer = [](const wire::Frame& asked) {
      if (asked.kind != wire::Kind::kReplicaRead) return std::string();
      return FrameOf(asked.request_id,
                     wire::ReplicaReadReply{.version = {1ULL << 50, 1, 2},
                                            .value_digest = storage::ValueDigest("newer")},
                     "newer");
    };
    node.Start({2});
    REQUIRE(CodeOf(Put(node, "key", "value")) == base::Code::kOk);
    const wire::GetRequest get{.keyspace = kDefault, .key = "key", .level = kOne};
    EXPECT(node.Ask(get).payload == "newer");

    node.Publish({});
    EXPECT(CodeOf(node.Ask(get)) == base::Code::kUnavailable);

    node.ready = true;
    node.Publish({});
    EXPECT(node.Ask(get).payload == "value");
  }
}

TEST_SUITE("server/worker: a replica that is pulled from") {
  TEST_CASE("reads at repair.rate for its peers, and their scans do not wait for that") {
    constexpr std::uint16_t kBucket = 77;
    constexpr int kPages = 16;
    Config config;
    config.repair.bytes_per_second = 64 << 10;
    OneWorker node(topology::FoundedBy(2), config);
    storage::Batch batch;
    const std::string value(30'000, 'x');
    for (int i = 0; i < kPages; ++i) {
      std::string key, entry;
      storage::EncodeDataKeyTo({kDefault, base::FirstToken(kBucket) + 1, std::to_string(100 + i)},
                               key);
      storage::EncodeEntryTo(
          {.version = {1 << 16, 1, 1}, .value_digest = storage::ValueDigest(value)}, value, entry);
      batch.Put(storage::Family::kData, key, entry);
    }
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(node.engine.Write(batches, storage::Sync::kYes).ok());
    node.Start({2});
    const auto pull = [&](const std::string& after) {
      return AskAsPeer(node, wire::BucketPull{.keyspace = kDefault,
                                              .bucket = kBucket,
                                              .after = after,
                                              .bytes_max = 32 << 10,
                                              .epoch = node.topology().epoch,
                                              .payload_digest = base::Hash64(""),
                                              .last_token = base::LastToken(kBucket),
                                              .cut_s = merkle::NewestCut(node.WallMs()),
                                              .further = {}});
    };
    const base::Instant began = node.Now();
    std::string after;
    int pages = 0;
    for (bool done = false; !done && pages < 2 * kPages; ++pages) {
      const Told told = pull(after);
      const auto reply = wire::Decode<wire::BucketPullReply>(told.header);
      REQUIRE(told.kind == wire::Kind::kBucketPullReply);
      after = reply->after;
      done = reply->done;
    }
    EXPECT(pages >= kPages);
    const base::Duration took = node.Now() - began;
    EXPECT(took > base::seconds(5));  // Some 480,000 bytes at least, of which two pages are early.
    EXPECT(took < base::seconds(30));
    const base::Instant scanned = node.Now();
    EXPECT(AskAsPeer(node, wire::ReplicaScan{.keyspace = kDefault,
                                             .after_key = {},
                                             .last_token = base::LastToken(kBucket),
                                             .bytes_max = 4096,
                                             .epoch = node.topology().epoch})
               .kind == wire::Kind::kReplicaScanReply);
    EXPECT(node.Now() - scanned < base::milliseconds(300));
  }
}

TEST_SUITE("server/worker: a peer's page of a scan") {
  TEST_CASE("comes with what was purged before, if it asks for that and the epoch stays") {
    OneWorker node(topology::FoundedBy(2));
    purge::Marks marks;
    marks.Purge(kDefault, 3, 70);
    storage::Batch batch;
    marks.StoreDirty(batch);
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(node.engine.Write(batches, storage::Sync::kYes).ok());
    node.Start({2});
    wire::ReplicaScan scan{.keyspace = kDefault,
                           .after_key = {},
                           .last_token = base::LastToken(3),
                           .bytes_max = 4096,
                           .epoch = node.topology().epoch,
                           .with_marks = true};
    const auto ask = [&](const std::function<void()>& meanwhile) {
      node.Tell(FromPeer(FrameOf(1, scan)));
      meanwhile();
      const auto answer = node.Hear<ReplyMail>();
      wire::Frame frame;
      REQUIRE(*wire::CutFrame(answer->frame, &frame) == answer->frame.size());
      const auto reply = wire::Decode<wire::ReplicaScanReply>(frame.header);
      REQUIRE(reply.has_value());
      EXPECT(reply->done);
      return std::pair(reply->epoch, std::string(reply->purged));
    };
    const std::string purged = purge::EncodeRuns({{3, 0}, {1, 70}});
    EXPECT(ask([] {}) == std::pair(node.topology().epoch, purged));
    scan.with_marks = false;
    EXPECT(ask([] {}) == std::pair(std::uint64_t{0}, std::string()));
    scan.with_marks = true;
    EXPECT(ask([&] { node.Publish({2}, 1); }) == std::pair(std::uint64_t{0}, std::string()));
    EXPECT(ask([] {}) == std::pair(node.topology().epoch + 1, purged));
  }
}

TEST_SUITE("server/worker: what it has is damaged") {
  TEST_CASE("whoever meets that has all tables looked at: a scan, a peer's, a pull, a purge") {
    OneWorker node(topology::FoundedBy(2));
    std::string data_key;
    const base::Token token = node.TokenOf("key");
    storage::EncodeDataKeyTo({kDefault, token, "key"}, data_key);
    storage::Batch batch;
    batch.Put(storage::Family::kData, data_key, "no entry");
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(node.engine.Write(batches, storage::Sync::kYes).ok());
    node.Start({2});
    const std::uint64_t epoch = node.topology().epoch;
    EXPECT(!node.MetDamage());
    SUBCASE("a client's scan") {
      node.Ask(wire::ScanRequest{.keyspace = kDefault, .after_key = {}, .level = kOne});
    }
    SUBCASE("another node's") {
      const wire::ReplicaScan scan{.keyspace = kDefault,
                                   .from_token = token,
                                   .after_key = {},
                                   .last_token = token,
                                   .bytes_max = 4096,
                                   .epoch = epoch};
      EXPECT(CodeOf(AskAsPeer(node, scan)) == base::Code::kCorruption);
    }
    SUBCASE("a pull, which is answered without it") {
      const wire::BucketPull pull{.keyspace = kDefault,
                                  .bucket = base::BucketOf(token),
                                  .after = {},
                                  .bytes_max = 4096,
                                  .epoch = epoch,
                                  .payload_digest = base::Hash64(""),
                                  .last_token = base::LastToken(base::BucketOf(token)),
                                  .further = {}};
      const Told told = AskAsPeer(node, pull);
      REQUIRE(told.kind == wire::Kind::kBucketPullReply);
      EXPECT(wire::Decode<wire::BucketPullReply>(told.header)->unreadable == 1);
    }
    SUBCASE("a purge round, that passes it over") {
      purge::Request step{.step = purge::Step::kProve,
                          .epoch = epoch,
                          .keyspace = kDefault,
                          .horizon = purge::HorizonAt(node.WallMs(), 60'000),
                          .buckets = {base::BucketOf(token)}};
      const auto take = [&] {
        auto mail = std::make_unique<PurgeStepMail>();
        mail->request = step;
        node.Tell(std::move(mail));
        return node.Hear<PurgeStepDoneMail>()->status;
      };
      REQUIRE(take().ok());
      EXPECT(!node.MetDamage());
      step.step = purge::Step::kCommit;
      REQUIRE(take().ok());
      node.RunFor(base::seconds(3));
    }
    EXPECT(node.MetDamage());
  }
}

TEST_SUITE("server/worker: a replica whose purge mark is higher") {
  constexpr std::uint16_t kBucket = 77;
  constexpr std::uint64_t kMark = 1000;

  TEST_CASE("calls all parts of a bucket different, and names all, to who is to adopt it") {
    OneWorker node(topology::FoundedBy(2));
    purge::Marks marks;
    marks.Purge(kDefault, kBucket, kMark);
    marks.Purge(kDefault, kBucket + 2 * base::kSlices, kMark + 1);
    storage::Batch batch;
    marks.StoreDirty(batch);
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(node.engine.Write(batches, storage::Sync::kYes).ok());
    node.Start({2});
    const std::uint64_t epoch = node.topology().epoch;

    const std::string hashes(16 * 4, '\0');  // Of 16 parts in which nothing is, as here.
    const auto parts = [&](std::uint64_t purged, std::uint64_t in_epoch) {
      const wire::BucketParts ask{.keyspace = kDefault,
                                  .first_token = base::FirstToken(kBucket),
                                  .last_token = base::LastToken(kBucket),
                                  .epoch = in_epoch,
                                  .payload_digest = base::Hash64(hashes),
                                  .purged = purged};
      const Told told = AskAsPeer(node, ask, hashes);
      REQUIRE(told.kind == wire::Kind::kBucketPartsReply);
      return told.payload;
    };
    const auto named_upto = [&](std::uint64_t purged, std::uint64_t in_epoch) {
      const wire::BucketPull pull{.keyspace = kDefault,
                                  .bucket = kBucket,
                                  .after = {},
                                  .bytes_max = 4096,
                                  .epoch = in_epoch,
                                  .payload_digest = base::Hash64(""),
                                  .last_token = base::LastToken(kBucket),
                                  .purged = purged,
                                  .further = {}};
      const Told told = AskAsPeer(node, pull);
      REQUIRE(told.kind == wire::Kind::kBucketPullReply);
      return wire::Decode<wire::BucketPullReply>(told.header)->named_upto;
    };
    // The bucket behind it in its slice has no mark of its own.
    const wire::BucketPull two{.keyspace = kDefault,
                               .bucket = kBucket,
                               .after = {},
                               .bytes_max = 4096,
                               .epoch = epoch,
                               .payload_digest = base::Hash64(""),
                               .last_token = base::LastToken(kBucket),
                               .further = "\x01\x02"};
    const auto reply = wire::Decode<wire::BucketPullReply>(AskAsPeer(node, two).header);
    REQUIRE(reply.has_value());
    EXPECT(reply->named_upto == kMark);
    REQUIRE(reply->further.size() == 2);
    EXPECT(reply->further[0].purged == 0);
    EXPECT(reply->further[0].named_upto == 0);
    EXPECT(reply->further[1].purged == kMark + 1);
    EXPECT(reply->further[1].named_upto == kMark + 1);
    const std::string all(2, '\xff'), none(2, '\0');
    EXPECT(parts(kMark - 1, epoch) == all);
    EXPECT(named_upto(kMark - 1, epoch) == kMark);
    EXPECT(parts(kMark, epoch) == none);
    EXPECT(named_upto(kMark, epoch) == 0);
    EXPECT(parts(kMark - 1, epoch + 1) == none);
    EXPECT(named_upto(kMark - 1, epoch + 1) == 0);
    node.ready = false;
    node.Publish({2});
    EXPECT(parts(kMark - 1, epoch) == none);
    EXPECT(named_upto(kMark - 1, epoch) == 0);
  }
}

}  // namespace
}  // namespace starling::server
