// Goal:   a worker remembers a coordinator's writes until it hears that they are handled, within
//         bounds, and passes on those of a dead one, as they are, to whoever lacks them.
// Method: a real worker, replica of a key with two played peers: node 2 coordinates and dies.
#include "server/orphans.h"

#include <string>

#include "storage/entry.h"
#include "tests/server/one_worker.h"
#include "tests/test.h"

namespace starling::server {
namespace {

// Stamped lately, or hints of it would be too old.
constexpr base::Version kVersion{std::uint64_t{sim::Simulation::kWallStartMs} << 16, 2, 1};

// A write of node 2's worker 0, as another of our workers hands it over.
void Write(OneWorker& node, base::Bytes key, std::uint64_t number, base::Bytes value,
           std::uint64_t handled_below = 1) {
  const std::string bytes = FrameOf(number,
                                    wire::ReplicaWrite{.keyspace = kDefault,
                                                       .key = key,
                                                       .version = kVersion,
                                                       .value_digest = storage::ValueDigest(value),
                                                       .epoch = node.topology().epoch},
                                    value);
  auto mail = FromPeer(bytes);
  mail->numbered = {{2, 1, 0}, number, handled_below};
  node.Tell(std::move(mail));
  node.Hear<ReplyMail>();
}

// What node 3 was sent of a kind.
std::vector<Told> Asked(OneWorker& node, wire::Kind kind) {
  std::vector<Told> found;
  for (const Told& told : node.peer(3).asked)
    if (told.kind == kind) found.push_back(told);
  return found;
}

// Node 3 takes what it is sent; of an entry it has, it has `held`.
void Answer(OneWorker& node, base::Version held = {}) {
  node.peer(3).answer = [held](const wire::Frame& asked) {
    if (asked.kind == wire::Kind::kReplicaWrite)
      return FrameOf(asked.request_id, wire::ReplicaWriteReply{.held = kVersion});
    return FrameOf(asked.request_id, wire::ReplicaReadReply{.version = held});
  };
}

TEST_SUITE("server/orphans") {
  TEST_CASE("a dead coordinator's write is passed on once, under its own version") {
    OneWorker node(topology::FoundedBy(3));
    Answer(node);
    node.Start({2, 3});
    Write(node, "key", 1, "value");
    node.RunFor(base::seconds(5));
    EXPECT(Asked(node, wire::Kind::kReplicaWrite).empty());  // Its coordinator lives.
    node.held = {2};
    node.Publish({3});
    node.RunFor(base::seconds(60));
    EXPECT(Asked(node, wire::Kind::kReplicaWrite).empty());  // It does, and is not trusted.

    node.held.clear();
    node.Publish({3});
    node.RunFor(base::seconds(60));
    const auto sent = Asked(node, wire::Kind::kReplicaWrite);
    REQUIRE(sent.size() == 1);
    const auto write = wire::Decode<wire::ReplicaWrite>(sent[0].header);
    REQUIRE(write.has_value());
    EXPECT(write->version == kVersion);
    EXPECT(write->origin == static_cast<std::uint8_t>(storage::Origin::kRumor));
    EXPECT(write->number == 0);
    EXPECT(sent[0].payload == "value");
    EXPECT(node.Stats().hints.pending[2].hints == 1);  // It may lack its own write.
    EXPECT(node.Stats().orphans.remembered_bytes == 0);
  }

  TEST_CASE("what is handled is forgotten, by the next write or by word of an idle coordinator") {
    OneWorker node(topology::FoundedBy(3));
    Answer(node);
    node.Start({2, 3});
    for (std::uint64_t i = 1; i <= 10; ++i) Write(node, "key " + std::to_string(i), i, "value");
    const std::uint64_t ten = node.Stats().orphans.remembered_bytes;
    Write(node, "key 11", 11, "value", 10);
    EXPECT(node.Stats().orphans.remembered_bytes < ten / 4);
    auto handled = std::make_unique<HandledMail>();
    handled->source = {2, 1, 0};
    handled->below = 12;
    node.Tell(std::move(handled));
    EXPECT(node.Stats().orphans.remembered_bytes == 0);
    node.Publish({3});
    node.RunFor(base::seconds(5));
    EXPECT(Asked(node, wire::Kind::kReplicaWrite).empty());
  }

  TEST_CASE("an entry that was replaced meanwhile is left to whoever replaced it") {
    OneWorker node(topology::FoundedBy(3));
    Answer(node);
    node.Start({2, 3});
    Write(node, "key", 1, "value");
    const wire::PutRequest put{.keyspace = kDefault,
                               .key = "key",
                               .level = wire::Consistency::kOne,
                               .value_digest = storage::ValueDigest("newer"),
                               .stamp = {kVersion.timestamp + 1, 1, 1}};
    node.Ask(put, "newer");
    node.RunFor(base::milliseconds(100));
    node.peer(3).asked.clear();
    node.Publish({3});
    node.RunFor(base::seconds(5));
    EXPECT(node.Stats().orphans.taken_over == 0);
  }

  TEST_CASE("a large value is offered first, and sent only to who lacks it") {
    for (const bool has : {false, true}) {
      OneWorker node(topology::FoundedBy(3));
      Answer(node, has ? kVersion : base::Version{});
      node.Start({2, 3});
      Write(node, "key", 1, std::string(100'000, 'v'));
      node.Publish({3});
      node.RunFor(base::seconds(5));
      EXPECT(Asked(node, wire::Kind::kReplicaRead).size() == 1);
      EXPECT(Asked(node, wire::Kind::kReplicaWrite).size() == (has ? 0 : 1));
    }
  }

  TEST_CASE("who is down or refuses is owed a hint") {
    for (const bool down : {false, true}) {
      OneWorker node(topology::FoundedBy(3));
      node.peer(3).answer = [](const wire::Frame& asked) {
        return FrameOf(asked.request_id, wire::ErrorReply{base::Code::kOverloaded, "no room", {}});
      };
      node.Start({2, 3});
      Write(node, "key", 1, "value");
      node.Publish(down ? std::set<base::NodeNumber>{} : std::set<base::NodeNumber>{3});
      node.RunFor(base::milliseconds(900));
      EXPECT(node.Stats().hints.pending[3].hints == 1);
    }
  }

  TEST_CASE("what is over the bound is forgotten, and its replicas are compared") {
    OneWorker node(topology::FoundedBy(3));
    node.Start({2, 3});
    const std::string key(30'000, 'k');
    const std::uint64_t count = UnhandledWrites::kBytesMax / key.size() + 10;
    for (std::uint64_t i = 1; i <= count; ++i) Write(node, key + std::to_string(i), i, "");
    const OrphanStats stats = node.Stats().orphans;
    EXPECT(stats.remembered_bytes <= UnhandledWrites::kBytesMax);
    EXPECT(stats.remembered_bytes > UnhandledWrites::kBytesMax / 2);
    EXPECT(stats.forgotten >= 10);
    const auto asked = node.Hear<CompareSoonMail>();
    EXPECT(asked->nodes == std::set<base::NodeNumber>{2, 3});
  }
}

}  // namespace
}  // namespace starling::server
