// Goal:   a scan's page is one that a frame carries, whatever replicas hold and however they
//         differ; a peer's page that cannot be is refused.
// Method: a real worker with data of its own; the test plays the other replica and the client.
#include "server/scan.h"

#include <fmt/core.h>

#include <map>
#include <string>

#include "base/hash.h"
#include "server/wire/entries.h"
#include "storage/entry.h"
#include "tests/server/one_worker.h"
#include "tests/test.h"

namespace starling::server {
namespace {

constexpr base::KeyspaceId kDefault = 1;
constexpr base::NodeNumber kPeer = 2;

struct Store {
  explicit Store(storage::Engine& of, OneWorker& one) : engine(of), node(one) {}
  void Put(const std::string& key, const std::string& value) {
    std::string data_key, entry;
    storage::EncodeDataKeyTo({kDefault, node.TokenOf(key), key}, data_key);
    storage::EncodeEntryTo(
        {.version = {std::uint64_t{1} << 40, 1, 1}, .value_digest = storage::ValueDigest(value)},
        value, entry);
    storage::Batch batch;
    batch.Put(storage::Family::kData, data_key, entry);
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(engine.Write(batches, storage::Sync::kNo).ok());
  }
  storage::Engine& engine;
  OneWorker& node;
};

// The other replica's answers, from what it has.
struct PeerStore {
  explicit PeerStore(OneWorker& node) : store(engine, node) {
    node.peer(kPeer).answer = [this](const wire::Frame& asked) {
      const auto scan = wire::Decode<wire::ReplicaScan>(asked.header);
      REQUIRE(scan.has_value());
      Page page = ReadPage(engine, {kDefault, scan->from_token, std::string(scan->after_key),
                                    scan->last_token, scan->bytes_max});
      if (spoil) spoil(page);
      return FrameOf(asked.request_id, wire::ReplicaScanReply{page.done, base::Hash64(page.packed)},
                     page.packed);
    };
  }
  std::shared_ptr<storage::MemoryDisk> disk = std::make_shared<storage::MemoryDisk>();
  storage::MemoryEngine engine{disk};
  Store store;
  std::function<void(Page&)> spoil;
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
    Store mine(node.engine, node);
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
    Store mine(node.engine, node);
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
    Store mine(node.engine, node);
    for (int i = 0; i < 600; ++i) {
      if (i % 3 != 0) mine.Put(fmt::format("k{}", i), std::string(500, 'v'));
      if (i % 3 != 1) peer.store.Put(fmt::format("k{}", i), std::string(500, 'v'));
    }
    node.Start({kPeer});
    const auto keys = ScanAll(node, 4096);
    EXPECT(keys.size() == 600);
    for (const auto& [key, times] : keys) EXPECT(times == 1);
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
}

}  // namespace
}  // namespace starling::server
