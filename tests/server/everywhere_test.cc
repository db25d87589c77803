// Goal:   a worker takes a write to a keyspace that is everywhere by itself, hands it to gossip
// once
//         it is synced, and never fails a client because gossip has no room; what gossip heard it
//         stores as it is.
// Method: a real worker whose peers are down, and the test as its control.
#include <string>

#include "server/spread_writes.h"
#include "server/write_rumor.h"
#include "storage/entry.h"
#include "tests/server/one_worker.h"
#include "tests/test.h"

namespace starling::server {
namespace {

constexpr base::KeyspaceId kSettings = 2;

topology::Topology WithSettings() {
  base::Result<topology::Topology> topology =
      topology::AddKeyspace(topology::FoundedBy(3), "settings", topology::Parsed("everywhere"));
  REQUIRE(topology.has_value());
  return *std::move(topology);
}

wire::PutRequest PutEverywhere(base::Bytes key, base::Bytes value) {
  return {.keyspace = kSettings,
          .key = key,
          .level = wire::Consistency::kOne,
          .value_digest = storage::ValueDigest(value),
          .stamp = {}};
}

std::string Got(OneWorker& node, base::Bytes key) {
  return node
      .Ask(wire::GetRequest{.keyspace = kSettings, .key = key, .level = wire::Consistency::kOne})
      .payload;
}

void Hear(OneWorker& node, const wire::PackedEntry& entry, base::KeyspaceId keyspace = kSettings) {
  auto mail = std::make_unique<RumoredWriteMail>();
  mail->payload = MakeWriteRumor(keyspace, entry).payload;
  node.Tell(std::move(mail));
}

TEST_SUITE("server/everywhere") {
  TEST_CASE("a write is acknowledged by this node alone, and handed to gossip as it was stored") {
    OneWorker node(WithSettings());
    node.Start({});
    const Told told = node.Ask(PutEverywhere("key", "value"), "value");
    REQUIRE(told.kind == wire::Kind::kPutReply);
    const auto reply = wire::Decode<wire::PutReply>(told.header);
    EXPECT(reply->replicas.size() == 1);
    const auto mail = node.Hear<SpreadMail>();
    const auto write = ReadWriteRumor(mail->rumor.payload);
    REQUIRE(write.has_value());
    EXPECT(write->keyspace == kSettings);
    EXPECT(write->entry.key == "key");
    EXPECT(write->entry.value == "value");
    EXPECT(write->entry.version == reply->version);
    EXPECT(mail->rumor.version == reply->version.timestamp);
    EXPECT(Got(node, "key") == "value");
  }

  TEST_CASE("writes that gossip has no room for are acknowledged, and counted") {
    OneWorker node(WithSettings());
    node.Start({});
    // Control, as the test plays it, takes none of these mails off the account.
    const std::string value(1 << 20, 'v');
    for (int i = 0; i < 6; ++i)
      EXPECT(node.Ask(PutEverywhere("key " + std::to_string(i), value), value).kind ==
             wire::Kind::kPutReply);
    EXPECT(node.Stats().rumors_refused == 3);
  }

  TEST_CASE("what gossip heard is stored under its version; an older one changes nothing") {
    OneWorker node(WithSettings());
    node.Start({});
    wire::PackedEntry entry{.key = "key",
                            .version = {1ULL << 50, 2, 7},
                            .value_digest = storage::ValueDigest("heard"),
                            .value = "heard"};
    Hear(node, entry);
    node.RunFor(base::milliseconds(100));
    EXPECT(Got(node, "key") == "heard");
    entry.version.timestamp -= 1;
    entry.value = "older";
    entry.value_digest = storage::ValueDigest("older");
    Hear(node, entry);
    node.RunFor(base::milliseconds(100));
    EXPECT(Got(node, "key") == "heard");
    EXPECT(node.Stats().replica_writes == 1);
  }

  TEST_CASE("a damaged value, and a keyspace that is not everywhere, are not taken from gossip") {
    OneWorker node(WithSettings());
    node.Start({});
    Hear(node, {.key = "key", .version = {1ULL << 50, 2, 7}, .value_digest = 1, .value = "x"});
    Hear(node,
         {.key = "key",
          .version = {1ULL << 50, 2, 7},
          .value_digest = storage::ValueDigest("x"),
          .value = "x"},
         1);
    node.RunFor(base::milliseconds(100));
    EXPECT(node.Stats().replica_writes == 0);
  }

  TEST_CASE("levels other than ONE are refused, with the reason") {
    OneWorker node(WithSettings());
    node.Start({2, 3});
    wire::PutRequest put = PutEverywhere("key", "value");
    put.level = wire::Consistency::kQuorum;
    const Told refused = node.Ask(put, "value");
    REQUIRE(refused.kind == wire::Kind::kError);
    const auto error = wire::Decode<wire::ErrorReply>(refused.header);
    EXPECT(error->code == base::Code::kInvalidArgument);
    EXPECT(error->message.find("only ONE") != std::string::npos);
  }

  TEST_CASE("of one node's writes to a key the later rumor replaces; two nodes' do not meet") {
    wire::PackedEntry entry{.key = "key", .version = {1ULL << 50, 2, 7}, .value = "v"};
    const WriteRumor first = MakeWriteRumor(kSettings, entry);
    ++entry.version.timestamp;
    const WriteRumor later = MakeWriteRumor(kSettings, entry);
    EXPECT(later.key == first.key);
    EXPECT(later.version > first.version);
    entry.version.node = 3;
    EXPECT(MakeWriteRumor(kSettings, entry).key != first.key);
    EXPECT(MakeWriteRumor(kSettings + 1, entry).key != first.key);
  }

  TEST_CASE("a rumor that is no write is refused") {
    EXPECT(!ReadWriteRumor(""));
    EXPECT(!ReadWriteRumor("1234"));
    std::string payload =
        MakeWriteRumor(2, {.key = "k", .version = {1ULL << 50, 1, 1}, .value = "v"}).payload;
    EXPECT(ReadWriteRumor(payload).has_value());
    EXPECT(!ReadWriteRumor(payload + "x"));
    EXPECT(!ReadWriteRumor(base::Bytes(payload).substr(0, payload.size() - 1)));
  }
}

}  // namespace
}  // namespace starling::server
