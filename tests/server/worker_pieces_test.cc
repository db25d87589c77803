// Goal:   a large value is announced to who knows pieces, read from the disk once for all of its
//         pieces, and told of in no other version than was asked for.
// Method: a real worker with values in its engine; the test asks as a peer.
#include <string>

#include "server/entry_page.h"
#include "storage/entry.h"
#include "tests/server/one_worker.h"
#include "tests/test.h"

namespace starling::server {
namespace {

constexpr std::uint32_t kPieceOfWorker = 100'000;
constexpr base::Version kWritten{1'600'000'000'000ULL << 16, 2, 1};

// A worker with large values; each is 16 MiB at most.
struct PieceStore {
  PieceStore() : node(topology::FoundedBy(2)) {}

  void Put(const std::string& key, const std::string& value, base::Bytes stored_value) {
    std::string data_key, entry;
    storage::EncodeDataKeyTo({kDefault, node.TokenOf(key), key}, data_key);
    storage::EncodeEntryTo({.version = kWritten, .value_digest = storage::ValueDigest(value)},
                           stored_value, entry);
    storage::Batch batch;
    batch.Put(storage::Family::kData, data_key, entry);
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(node.engine.Write(batches, storage::Sync::kYes).ok());
  }
  void Put(const std::string& key, const std::string& value) { Put(key, value, value); }

  wire::ValuePiece PieceOf(base::Bytes key, base::Bytes value, std::uint32_t offset) const {
    return {.keyspace = kDefault,
            .key = key,
            .version = kWritten,
            .value_digest = storage::ValueDigest(value),
            .value_bytes = static_cast<std::uint32_t>(value.size()),
            .offset = offset,
            .bytes_max = kPieceOfWorker,
            .epoch = node.topology().epoch};
  }
  Told Pull(const std::string& key, std::uint32_t whole_bytes_max) {
    const std::uint16_t bucket = base::BucketOf(node.TokenOf(key));
    const Told told = AskAsPeer(node, wire::BucketPull{.keyspace = kDefault,
                                                       .bucket = bucket,
                                                       .after = {},
                                                       .bytes_max = 32 << 10,
                                                       .epoch = node.topology().epoch,
                                                       .payload_digest = base::Hash64(""),
                                                       .last_token = base::LastToken(bucket),
                                                       .cut_s = merkle::NewestCut(node.WallMs()),
                                                       .further = {},
                                                       .whole_bytes_max = whole_bytes_max});
    REQUIRE(told.kind == wire::Kind::kBucketPullReply);
    return told;
  }
  // All pieces, from the first on.
  std::string Fetch(const std::string& key, const std::string& value) {
    std::string got;
    while (got.size() < value.size()) {
      const auto offset = static_cast<std::uint32_t>(got.size());
      const Told told = AskAsPeer(node, PieceOf(key, value, offset));
      REQUIRE(told.kind == wire::Kind::kValuePieceReply);
      const auto reply = wire::Decode<wire::ValuePieceReply>(told.header);
      EXPECT(reply->version == kWritten);
      EXPECT(reply->offset == offset);
      EXPECT(reply->payload_digest == base::Hash64(told.payload));
      REQUIRE(told.payload.size() ==
              std::min<std::size_t>(kPieceOfWorker, value.size() - got.size()));
      got += told.payload;
    }
    return got;
  }
  base::Code CodeOf(const wire::ValuePiece& ask) {
    const Told told = AskAsPeer(node, ask);
    if (told.kind != wire::Kind::kError) return base::Code::kOk;
    return wire::Decode<wire::ErrorReply>(told.header)->code;
  }

  OneWorker node;
};

TEST_SUITE("server/worker: large values in pieces") {
  TEST_CASE("a page announces one, its pieces need no further read, and it counts as sent once") {
    PieceStore store;
    const std::string value(10 * kPieceOfWorker + 77, 'x');
    store.Put("key", value);
    store.node.Start({2});
    const Told told = store.Pull("key", kPieceOfWorker);
    EXPECT(told.payload.empty());
    const auto reply = wire::Decode<wire::BucketPullReply>(told.header);
    REQUIRE(reply.has_value());
    EXPECT(!reply->done);
    EXPECT(reply->after.substr(8) == "key");
    EXPECT(reply->announced.version == kWritten);
    EXPECT(reply->announced.value_digest == storage::ValueDigest(value));
    EXPECT(reply->announced.value_bytes == value.size());

    const RepairStats before = store.node.Stats().repair;
    EXPECT(before.entries_sent == 0);
    EXPECT(before.data_bytes_read > value.size());
    EXPECT(before.piece_bytes == value.size());
    EXPECT(store.Fetch("key", value) == value);
    const RepairStats after = store.node.Stats().repair;
    EXPECT(after.entries_sent == 1);
    EXPECT(after.bytes_sent - before.bytes_sent == value.size());
    EXPECT(after.data_bytes_read == before.data_bytes_read);
    EXPECT(after.piece_bytes == 0);
  }

  TEST_CASE("who knows no pieces gets it whole") {
    PieceStore store;
    const std::string value(10 * kPieceOfWorker, 'x');
    store.Put("key", value);
    store.node.Start({2});
    const Told told = store.Pull("key", 0);
    EXPECT(told.payload.size() > value.size());
    EXPECT(wire::Decode<wire::BucketPullReply>(told.header)->announced.value_bytes == 0);
    EXPECT(store.node.Stats().repair.entries_sent == 1);
  }

  TEST_CASE("one that is not open is read with the first piece, whichever that is, and once") {
    PieceStore store;
    const std::string value(10 * kPieceOfWorker, 'x');
    store.Put("key", value);
    store.node.Start({2});
    for (std::uint64_t reads = 1; reads <= 2; ++reads) {
      for (const std::uint32_t offset :
           {5 * kPieceOfWorker, 2 * kPieceOfWorker, 5 * kPieceOfWorker})
        EXPECT(store.CodeOf(store.PieceOf("key", value, offset)) == base::Code::kOk);
      const RepairStats stats = store.node.Stats().repair;
      EXPECT(stats.data_bytes_read > reads * value.size());
      EXPECT(stats.data_bytes_read < (reads + 1) * value.size());
      EXPECT(stats.piece_bytes == value.size());
      store.node.RunFor(base::seconds(11));  // Nobody asks: it is closed.
      EXPECT(store.node.Stats().repair.piece_bytes == 0);
    }
  }

  TEST_CASE("a version that is not there is not found, and no other is told of in its place") {
    PieceStore store;
    const std::string value(3 * kPieceOfWorker, 'x'), other(3 * kPieceOfWorker, 'y');
    store.Put("key", value);
    store.node.Start({2});
    EXPECT(store.CodeOf(store.PieceOf("nothing", value, 0)) == base::Code::kNotFound);
    wire::ValuePiece older = store.PieceOf("key", value, 0);
    --older.version.timestamp;
    EXPECT(store.CodeOf(older) == base::Code::kNotFound);
    EXPECT(store.CodeOf(store.PieceOf("key", other, 0)) == base::Code::kNotFound);
    EXPECT(store.node.Stats().repair.piece_bytes == 0);
    EXPECT(!store.node.MetDamage());
    // One that is open goes on, whatever takes its place meanwhile.
    EXPECT(store.CodeOf(store.PieceOf("key", value, 0)) == base::Code::kOk);
    store.Put("key", other);
    EXPECT(AskAsPeer(store.node, store.PieceOf("key", value, kPieceOfWorker)).payload ==
           value.substr(kPieceOfWorker, kPieceOfWorker));
  }

  TEST_CASE("a request of another epoch, or for what lies behind the value, is refused") {
    PieceStore store;
    const std::string value(3 * kPieceOfWorker, 'x');
    store.Put("key", value);
    store.node.Start({2});
    wire::ValuePiece early = store.PieceOf("key", value, 0);
    early.epoch = 0;
    EXPECT(store.CodeOf(early) == base::Code::kFailedPrecondition);
    wire::ValuePiece beyond = store.PieceOf("key", value, 0);
    beyond.value_bytes = 4 * kPieceOfWorker;
    beyond.offset = 3 * kPieceOfWorker;
    EXPECT(store.CodeOf(beyond) == base::Code::kInvalidArgument);
  }

  TEST_CASE("one that is damaged is not announced, and not sent, and its disk is looked at") {
    PieceStore store;
    const std::string value(3 * kPieceOfWorker, 'x');
    store.Put("key", value, std::string(3 * kPieceOfWorker, 'y'));
    store.node.Start({2});
    SUBCASE("in a page") {
      const auto reply =
          wire::Decode<wire::BucketPullReply>(store.Pull("key", kPieceOfWorker).header);
      EXPECT(reply->done);
      EXPECT(reply->announced.value_bytes == 0);
      EXPECT(reply->unreadable == 1);
    }
    SUBCASE("in pieces") {
      EXPECT(store.CodeOf(store.PieceOf("key", value, 0)) == base::Code::kCorruption);
    }
    EXPECT(store.node.MetDamage());
    EXPECT(store.node.Stats().repair.piece_bytes == 0);
  }

  TEST_CASE("for more of the largest than may be open, others have to ask again") {
    PieceStore store;
    const std::string value(storage::kValueBytesMax, 'x');
    for (const char* key : {"a", "b", "c"}) store.Put(key, value);
    store.node.Start({2});
    EXPECT(store.CodeOf(store.PieceOf("a", value, 0)) == base::Code::kOk);
    EXPECT(store.CodeOf(store.PieceOf("b", value, 0)) == base::Code::kOk);
    EXPECT(store.CodeOf(store.PieceOf("c", value, 0)) == base::Code::kOverloaded);
    EXPECT(store.CodeOf(store.PieceOf("a", value, static_cast<std::uint32_t>(value.size()) - 1)) ==
           base::Code::kOk);
    EXPECT(store.CodeOf(store.PieceOf("c", value, 0)) == base::Code::kOk);
  }
}

}  // namespace
}  // namespace starling::server
