// Goal:   a scan's page is one that a frame carries, whatever replicas hold and however they
//         differ, and has nothing that one of them has purged; a peer's page that cannot be is
//         refused; replicas that fail are made up for.
// Method: a real worker with data of its own; the test plays the other replica and the client.
#include "server/scan.h"

#include <fmt/core.h>

#include <map>
#include <string>

#include "base/hash.h"
#include "server/purge/marks.h"
#include "server/scan_page.h"
#include "server/wire/entries.h"
#include "storage/entry.h"
#include "tests/server/one_worker.h"
#include "tests/test.h"

namespace starling::server {
namespace {

constexpr base::NodeNumber kPeer = 2;
constexpr std::uint64_t kStamped = std::uint64_t{1} << 40;  // All entries.

struct ScanStore {
  explicit ScanStore(storage::Engine& of, OneWorker& one) : engine(of), node(one) {}
  void Put(const std::string& key, const std::string& value) {
    std::string data_key, entry;
    storage::EncodeDataKeyTo({kDefault, node.TokenOf(key), key}, data_key);
    storage::EncodeEntryTo(
        {.version = {kStamped, 1, 1}, .value_digest = storage::ValueDigest(value)}, value, entry);
    storage::Batch batch;
    batch.Put(storage::Family::kData, data_key, entry);
    Write(batch);
  }
  // What its bucket had up to then is deleted.
  void Purge(const std::string& key, std::uint64_t upto) {
    marks.Purge(kDefault, base::BucketOf(node.TokenOf(key)), upto);
    storage::Batch batch;
    marks.StoreDirty(batch);
    Write(batch);
  }
  void Write(const storage::Batch& batch) {
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(engine.Write(batches, storage::Sync::kNo).ok());
  }
  storage::Engine& engine;
  OneWorker& node;
  purge::Marks marks;
};

// The other replica's answers, from what it has.
struct PeerStore {
  explicit PeerStore(OneWorker& node, base::NodeNumber number = kPeer) : store(engine, node) {
    node.peer(number).answer = [this](const wire::Frame& asked_frame) {
      const auto scan = wire::Decode<wire::ReplicaScan>(asked_frame.header);
      REQUIRE(scan.has_value());
      ++asked;
      deadline_ms = scan->deadline_ms;
      if (failures > 0) {
        --failures;
        return FrameOf(asked_frame.request_id,
                       wire::ErrorReply{base::Code::kUnavailable, "no", {}});
      }
      if (silent) return std::string();
      EXPECT(scan->with_marks);
      ScanPage read =
          ReadScanPage(engine, {kDefault, scan->from_token, std::string(scan->after_key),
                                scan->last_token, scan->bytes_max});
      if (spoil) spoil(read.page);
      wire::ReplicaScanReply reply{read.page.done, base::Hash64(read.page.packed)};
      reply.epoch = epoch;
      if (epoch != 0) reply.purged = read.purged;
      reply.told_upto = read.told_upto;
      return FrameOf(asked_frame.request_id, reply, read.page.packed);
    };
  }
  std::shared_ptr<storage::MemoryDisk> disk = std::make_shared<storage::MemoryDisk>();
  storage::MemoryEngine engine{disk};
  ScanStore store;
  std::function<void(Page&)> spoil;
  std::uint64_t epoch = 1;  // 0: of a version that knows no marks.
  int failures = 0;         // So many answers are errors.
  bool silent = false;
  int asked = 0;
  std::uint32_t deadline_ms = 0;  // Of the last request.
};

// Three replicas; the key "k" is on both peers, and not on the node itself.
struct ThreeReplicas {
  explicit ThreeReplicas(Config config = {}) : node(topology::FoundedBy(3), std::move(config)) {
    second.store.Put("k", "value");
    third.store.Put("k", "value");
    node.Start({2, 3});
  }
  // Whichever the scan asks first; found out by asking.
  PeerStore& First() {
    Scan();
    PeerStore& first = second.asked > 0 ? second : third;
    second.asked = third.asked = 0;
    return first;
  }
  PeerStore& Other(const PeerStore& one) { return &one == &second ? third : second; }
  static wire::ScanRequest Request(wire::Consistency level = wire::Consistency::kQuorum,
                                   std::uint32_t deadline_ms = 0) {
    return {.keyspace = kDefault,
            .after_key = {},
            .level = level,
            .deadline_ms = deadline_ms,
            .bytes_max = 1 << 20};
  }
  Told Scan(wire::Consistency level = wire::Consistency::kQuorum, std::uint32_t deadline_ms = 0) {
    const base::Instant began = node.Now();
    Told told = node.Ask(Request(level, deadline_ms));
    took = node.Now() - began;
    return told;
  }
  static bool HasRow(const Told& told) {
    return told.kind == wire::Kind::kScanReply && told.payload.find("value") != std::string::npos;
  }
  static base::Code CodeOf(const Told& told) {
    REQUIRE(told.kind == wire::Kind::kError);
    return wire::Decode<wire::ErrorReply>(told.header)->code;
  }

  OneWorker node;
  PeerStore second{node, 2}, third{node, 3};
  base::Duration took{0};
};

// Reads page after page to the end; the keys and how often each came.
std::map<std::string, int> ScanAll(OneWorker& node, std::uint32_t bytes_max = 0) {
  std::map<std::string, int> keys;
  wire::ScanRequest request{.keyspace = kDefault,
                            .after_key = {},
                            .level = wire::Consistency::kAll,
                            .bytes_max = bytes_max};
  std::string after;
  for (int pages = 0; pages < 10'000; ++pages) {
    const Told told = node.Ask(request);
    const auto reply = wire::Decode<wire::ScanReply>(told.header);
    REQUIRE(told.kind == wire::Kind::kScanReply);
    REQUIRE(reply.has_value());
    EXPECT(told.payload.size() <= wire::kPayloadBytesMax);
    base::Bytes rest = told.payload;
    while (!rest.empty()) {
      const auto entry = wire::UnpackEntry(rest);
      REQUIRE(entry.has_value());
      EXPECT(storage::ValueDigest(entry->value) == entry->value_digest);
      ++keys[std::string(entry->key)];
    }
    if (reply->done) return keys;
    request.from_token = reply->next_token;
    after = reply->next_after_key;
    request.after_key = after;
  }
  REQUIRE(false);
  return keys;
}

TEST_SUITE("server/scan") {
  TEST_CASE("largest values after many small ones come whole, each once") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    ScanStore mine(node.engine, node);
    const std::string small(2000, 's'), largest(storage::kValueBytesMax - 100, 'l');
    for (int i = 0; i < 2000; ++i) {
      mine.Put(fmt::format("small{}", i), small);
      peer.store.Put(fmt::format("small{}", i), small);
    }
    for (int i = 0; i < 3; ++i) {
      mine.Put(fmt::format("large{}", i), largest);
      peer.store.Put(fmt::format("large{}", i), largest);
    }
    node.Start({kPeer});
    const auto keys = ScanAll(node, 1 << 20);
    EXPECT(keys.size() == 2003);
    for (const auto& [key, times] : keys) EXPECT(times == 1);
  }

  TEST_CASE("replicas that differ in their largest values make a page no larger") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    ScanStore mine(node.engine, node);
    const std::string largest(storage::kValueBytesMax, 'l');
    // Each has its own, so each one's whole range is a page of one entry.
    mine.Put("mine", largest);
    peer.store.Put("theirs", largest);
    peer.store.Put(std::string(storage::kKeyBytesMax, 'k'), largest);
    node.Start({kPeer});
    const auto keys = ScanAll(node);
    EXPECT(keys.size() == 3);
    for (const auto& [key, times] : keys) EXPECT(times == 1);
  }

  TEST_CASE("small pages of replicas that differ add up to all keys, each once") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    ScanStore mine(node.engine, node);
    for (int i = 0; i < 600; ++i) {
      if (i % 3 != 0) mine.Put(fmt::format("k{}", i), std::string(500, 'v'));
      if (i % 3 != 1) peer.store.Put(fmt::format("k{}", i), std::string(500, 'v'));
    }
    node.Start({kPeer});
    const auto keys = ScanAll(node, 4096);
    EXPECT(keys.size() == 600);
    for (const auto& [key, times] : keys) EXPECT(times == 1);
  }

  TEST_CASE("what one replica has purged, a page that counts it does not show from another") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    ScanStore mine(node.engine, node);
    // Each has what the other has let go.
    peer.store.Put("theirs", "value");
    mine.Purge("theirs", kStamped);
    mine.Put("mine", "value");
    peer.store.Purge("mine", kStamped);
    peer.store.Put("kept", "value");
    mine.Purge("kept", kStamped - 1);
    node.Start({kPeer});
    using Keys = std::map<std::string, int>;
    EXPECT(ScanAll(node) == Keys{{"kept", 1}});
    peer.epoch = 2;  // A point read does not weigh either, if they are in different ones.
    EXPECT(ScanAll(node) == Keys{{"kept", 1}, {"mine", 1}, {"theirs", 1}});
    peer.epoch = 0;
    EXPECT(ScanAll(node) == Keys{{"kept", 1}, {"mine", 1}, {"theirs", 1}});
  }

  TEST_CASE("replicas whose marks are too many for a page are scanned to the end, each key once") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    ScanStore mine(node.engine, node);
    for (int i = 0; i < 100; ++i) peer.store.Put(fmt::format("k{}", i), "value");
    for (std::uint32_t bucket = 0; bucket < base::kBuckets; ++bucket)
      peer.store.marks.Purge(kDefault, static_cast<std::uint16_t>(bucket), bucket % 7);
    mine.Purge("k7", kStamped);
    peer.store.Purge("k8", kStamped + 1);
    node.Start({kPeer});
    const auto keys = ScanAll(node);
    EXPECT(keys.size() == 99);
    EXPECT(!keys.contains("k7"));
    for (const auto& [key, times] : keys) EXPECT(times == 1);
    EXPECT(peer.asked >= 16);
  }

  TEST_CASE("a page that cannot be is an error to the client") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    for (int i = 0; i < 5; ++i) peer.store.Put(fmt::format("k{}", i), "value");
    SUBCASE("neither entries nor an end") {
      peer.spoil = [](Page& page) { page = {}; };
    }
    SUBCASE("an entry twice") {
      peer.spoil = [](Page& page) { page.packed += page.packed; };
    }
    SUBCASE("unknown flags") {
      peer.spoil = [](Page& page) { page.packed[24] = '\x80'; };
    }
    SUBCASE("an unknown origin") {
      peer.spoil = [](Page& page) { page.packed[25] = '\x09'; };
    }
    SUBCASE("cut short") {
      peer.spoil = [](Page& page) { page.packed.pop_back(); };
    }
    node.Start({kPeer});
    const Told told = node.Ask(
        wire::ScanRequest{.keyspace = kDefault, .after_key = {}, .level = wire::Consistency::kAll});
    REQUIRE(told.kind == wire::Kind::kError);
    EXPECT(wire::Decode<wire::ErrorReply>(told.header)->code == base::Code::kCorruption);
  }

  TEST_CASE("a replica that fails is replaced by another at once") {
    ThreeReplicas three;
    PeerStore& first = three.First();
    SUBCASE("because it refuses") { first.failures = 1; }
    SUBCASE("because its page cannot be") {
      first.spoil = [](Page& page) { page.packed.pop_back(); };
    }
    EXPECT(ThreeReplicas::HasRow(three.Scan()));
    EXPECT(first.asked == 1);
    EXPECT(three.Other(first).asked == 1);
    EXPECT(three.took < base::milliseconds(100));
  }

  TEST_CASE("a replica that is slow is joined by another") {
    ThreeReplicas three;
    PeerStore& first = three.First();
    first.silent = true;
    EXPECT(ThreeReplicas::HasRow(three.Scan()));
    EXPECT(three.Other(first).asked == 1);
    EXPECT(three.took >= base::milliseconds(100));
    EXPECT(three.took < base::milliseconds(200));
  }

  TEST_CASE("when too few are left, those that failed are asked again, and the others not") {
    ThreeReplicas three;
    three.second.failures = 2;
    EXPECT(ThreeReplicas::HasRow(three.Scan(wire::Consistency::kAll)));
    EXPECT(three.second.asked == 3);
    EXPECT(three.third.asked == 1);
    EXPECT(three.took >= base::milliseconds(300));
  }

  TEST_CASE("a scan that too few replicas answer ends by its deadline") {
    ThreeReplicas three;
    base::Code expected{};
    SUBCASE("because they refuse") {
      three.second.failures = three.third.failures = 1000;
      expected = base::Code::kUnavailable;
    }
    SUBCASE("because they are silent") {
      three.second.silent = three.third.silent = true;
      expected = base::Code::kTimeout;
    }
    EXPECT(ThreeReplicas::CodeOf(three.Scan(wire::Consistency::kQuorum, 700)) == expected);
    EXPECT(three.took >= base::milliseconds(500));
    EXPECT(three.took < base::milliseconds(800));
  }

  TEST_CASE("whatever a client asks for, a scan has no longer than timeouts.read") {
    ThreeReplicas three;
    three.second.silent = three.third.silent = true;
    const Told told = three.Scan(wire::Consistency::kQuorum, 600'000);
    EXPECT(ThreeReplicas::CodeOf(told) == base::Code::kTimeout);
    EXPECT(three.took < three.node.config.timeouts.read + base::milliseconds(100));
    EXPECT(three.second.deadline_ms <= base::ToMs(three.node.config.timeouts.read));
    EXPECT(three.second.deadline_ms > 0);
  }

  TEST_CASE("a scan whose pages would not fit is refused as overloaded, until others have ended") {
    Config config;
    config.limits.memory_bytes_max = 5 << 20;  // Two scans at QUORUM, of 1 MiB a replica.
    ThreeReplicas three(config);
    three.second.silent = three.third.silent = true;
    const auto first = three.node.Begin(ThreeReplicas::Request());
    const auto second = three.node.Begin(ThreeReplicas::Request());
    const Told refused = three.node.Ask(ThreeReplicas::Request());
    EXPECT(ThreeReplicas::CodeOf(refused) == base::Code::kOverloaded);
    EXPECT(three.node.Stats().overloaded == 1);
    EXPECT(three.node.Stats().in_flight == 2);
    EXPECT(ThreeReplicas::CodeOf(three.node.AnswerTo(first)) == base::Code::kTimeout);
    EXPECT(ThreeReplicas::CodeOf(three.node.AnswerTo(second)) == base::Code::kTimeout);
    three.second.silent = three.third.silent = false;
    EXPECT(ThreeReplicas::HasRow(three.Scan()));
    EXPECT(three.node.Stats().in_flight == 0);
  }
}

}  // namespace
}  // namespace starling::server
