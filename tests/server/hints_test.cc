// Goal:   a hint reaches its target or is dropped and counted; what a target refuses holds up
//         nothing behind it; the count and its limit are the node's.
// Method: a real worker; hints of an earlier run are put on its disk, or puts store them while the
//         target is away; the test plays the target.
#include "server/hints.h"

#include <fmt/core.h>

#include <map>
#include <string>

#include "storage/entry.h"
#include "tests/server/one_worker.h"
#include "tests/test.h"

namespace starling::server {
namespace {

constexpr base::NodeNumber kTarget = 2;
struct Stored {
  base::KeyspaceId keyspace = kDefault;
  std::string key;
  std::string value = "v";
  std::int64_t age_ms = 1000;
  bool damaged = false;
};

// As server/hints.h says.
void Leave(OneWorker& node, const Stored& hint) {
  const base::Version version{static_cast<std::uint64_t>(node.WallMs() - hint.age_ms) << 16, 1, 7};
  std::string key, entry;
  base::AppendBig(key, kTarget);
  base::AppendBig(key, hint.keyspace);
  base::AppendBig(key, node.TokenOf(hint.key));
  base::AppendBig(key, version.timestamp);
  base::AppendBig(key, version.node);
  base::AppendBig(key, version.nonce);
  key += hint.key;
  storage::EncodeEntryTo({.version = version,
                          .value_digest = storage::ValueDigest(hint.value) + hint.damaged,
                          .origin = storage::Origin::kHint},
                         hint.value, entry);
  storage::Batch batch;
  batch.Put(storage::Family::kHints, key, entry);
  const storage::Batch* const batches[] = {&batch};
  REQUIRE(node.engine.Write(batches, storage::Sync::kNo).ok());
}

std::size_t OnDisk(OneWorker& node) {
  std::size_t hints = 0;
  const auto cursor = node.engine.Scan(storage::Family::kHints, {}, {});
  for (cursor->Seek({}); cursor->Valid(); cursor->Next()) ++hints;
  return hints;
}

std::string Taken(const wire::Frame& asked) {
  const auto write = wire::Decode<wire::ReplicaWrite>(asked.header);
  REQUIRE(write.has_value());
  return FrameOf(asked.request_id, wire::ReplicaWriteReply{.held = write->version});
}
std::string Refused(const wire::Frame& asked, base::Code code) {
  return FrameOf(asked.request_id, wire::ErrorReply{code, "refused by the test", {}});
}

// How often the target was asked for each key.
std::map<std::string, int> AskedFor(PlayedPeer& peer) {
  std::map<std::string, int> asked;
  for (const Told& told : peer.asked)
    ++asked[std::string(wire::Decode<wire::ReplicaWrite>(told.header)->key)];
  return asked;
}

Told PutAtOne(OneWorker& node, base::Bytes key, base::Bytes value) {
  return node.Ask(wire::PutRequest{.keyspace = kDefault,
                                   .key = key,
                                   .level = wire::Consistency::kOne,
                                   .value_digest = storage::ValueDigest(value),
                                   .stamp = {}},
                  value);
}

TEST_SUITE("server/hints: replay") {
  TEST_CASE("hints of an earlier run are counted, sent once and deleted") {
    OneWorker node(topology::FoundedBy(2));
    for (int i = 0; i < 1300; ++i) Leave(node, {.key = fmt::format("k{}", i)});
    node.peer(kTarget).answer = Taken;
    node.Start({});
    node.RunFor(base::seconds(1));
    EXPECT(node.Stats().hints.pending[kTarget].hints == 1300);
    node.Publish({kTarget});
    node.RunFor(base::seconds(5));
    const HintStats stats = node.Stats().hints;
    EXPECT(stats.replayed == 1300);
    EXPECT(stats.dropped == 0);
    EXPECT(stats.pending.at(kTarget).hints == 0);
    EXPECT(stats.pending.at(kTarget).bytes == 0);
    EXPECT(OnDisk(node) == 0);
    const auto asked = AskedFor(node.peer(kTarget));
    EXPECT(asked.size() == 1300);
    for (const auto& [key, times] : asked) EXPECT(times == 1);
  }

  TEST_CASE("more refused hints than a page has hold up none behind them") {
    OneWorker node(topology::FoundedBy(2));
    for (int i = 0; i < 1500; ++i) Leave(node, {.key = fmt::format("no{}", i)});
    for (int i = 0; i < 20; ++i) Leave(node, {.key = fmt::format("yes{}", i)});
    bool refusing = true;
    node.peer(kTarget).answer = [&](const wire::Frame& asked) {
      const auto write = wire::Decode<wire::ReplicaWrite>(asked.header);
      if (refusing && write->key.substr(0, 2) == "no")
        return Refused(asked, base::Code::kUnavailable);
      return Taken(asked);
    };
    node.Start({kTarget});
    node.RunFor(base::seconds(2));
    EXPECT(node.Stats().hints.replayed == 20);
    EXPECT(node.Stats().hints.pending.at(kTarget).hints == 1500);
    SUBCASE("they are tried again, less and less often") {
      node.RunFor(base::seconds(60));
      for (const auto& [key, times] : AskedFor(node.peer(kTarget))) {
        EXPECT(times >= (key[0] == 'n' ? 3 : 1));
        EXPECT(times <= (key[0] == 'n' ? 8 : 1));
      }
    }
    SUBCASE("and sent when the target takes them") {
      refusing = false;
      node.RunFor(base::seconds(70));
      EXPECT(node.Stats().hints.replayed == 1520);
      EXPECT(OnDisk(node) == 0);
    }
  }

  TEST_CASE("what a target will never take is dropped and counted") {
    topology::Topology topology = topology::FoundedBy(2);
    topology = *topology::AddKeyspace(topology, "one", topology::Parsed("simple:1"));
    OneWorker node(topology);
    const base::KeyspaceId one = topology.FindKeyspace("one")->id;
    std::size_t doomed = 0;
    for (int i = 0; doomed < 600; ++i) {  // Keys that are ours alone.
      const std::string key = fmt::format("moved{}", i);
      if (node.ring().Replicas(one, base::BucketOf(node.TokenOf(key)))[0] == 1) continue;
      Leave(node, {.keyspace = one, .key = key});
      ++doomed;
    }
    Leave(node, {.keyspace = 99, .key = "of no keyspace"});
    Leave(node, {.key = "damaged", .damaged = true});
    Leave(node, {.key = "old", .age_ms = base::ToMs(node.config.hints.age_max) + 1000});
    Leave(node, {.key = "bad"});
    Leave(node, {.key = "good"});
    node.peer(kTarget).answer = [&](const wire::Frame& asked) {
      const auto write = wire::Decode<wire::ReplicaWrite>(asked.header);
      return write->key == "bad" ? Refused(asked, base::Code::kInvalidArgument) : Taken(asked);
    };
    node.Start({kTarget});
    node.RunFor(base::seconds(3));
    const HintStats stats = node.Stats().hints;
    EXPECT(stats.dropped == doomed + 4);
    EXPECT(node.MetDamage());  // So that all tables are looked at.
    EXPECT(stats.replayed == 1);
    EXPECT(stats.pending.at(kTarget).hints == 0);
    EXPECT(OnDisk(node) == 0);
    const auto asked = AskedFor(node.peer(kTarget));
    EXPECT(asked == std::map<std::string, int>{{"bad", 1}, {"good", 1}});
  }

  TEST_CASE("a hint is not lost sight of when a scan does not see it yet") {
    OneWorker node(topology::FoundedBy(2));
    node.peer(kTarget).answer = Taken;
    node.Start({});
    for (int i = 0; i < 20; ++i) {
      // Stored just before the target is back: its commit and the first scan overlap.
      EXPECT(PutAtOne(node, fmt::format("k{}", i), "v").kind == wire::Kind::kPutReply);
      node.Publish({kTarget});
      node.RunFor(base::milliseconds(7 * i));
      node.Publish({});
      node.RunFor(base::milliseconds(3));
    }
    node.Publish({kTarget});
    node.RunFor(base::seconds(10));
    EXPECT(OnDisk(node) == 0);
    EXPECT(node.Stats().hints.stored == node.Stats().hints.replayed);
    EXPECT(node.Stats().hints.pending.at(kTarget).hints == 0);
  }
}

TEST_SUITE("server/hints: limits") {
  TEST_CASE("hints.max_bytes is of all targets together") {
    Config config;
    config.hints.bytes_max = 100'000;
    OneWorker node(topology::FoundedBy(3), config);
    node.Start({});
    for (int i = 0; i < 30; ++i) PutAtOne(node, fmt::format("k{}", i), std::string(5000, 'v'));
    node.RunFor(base::seconds(1));
    const HintStats stats = node.Stats().hints;
    std::uint64_t bytes = 0;
    for (const auto& [target, pending] : stats.pending) bytes += pending.bytes;
    EXPECT(bytes <= 100'000);
    EXPECT(bytes > 90'000);
    EXPECT(stats.stored + stats.dropped == 60);
    EXPECT(stats.stored == OnDisk(node));
  }
}

}  // namespace
}  // namespace starling::server
