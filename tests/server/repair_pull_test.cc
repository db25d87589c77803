// Goal:   what a peer has and we lack is pulled; one damaged entry, there, here or on its way, is
//         counted and told of, and keeps nothing else back; a peer's pages cannot run for ever.
// Method: a real worker is ordered to pull; the test plays the peer from a store of its own.
#include "server/repair_pull.h"

#include <fmt/core.h>

#include <map>
#include <string>
#include <vector>

#include "base/hash.h"
#include "merkle/compare.h"
#include "merkle/tree.h"
#include "server/entry_page.h"
#include "server/wire/entries.h"
#include "storage/memory_engine.h"
#include "tests/server/one_worker.h"
#include "tests/test.h"

namespace starling::server {
namespace {

constexpr base::KeyspaceId kDefault = 1;
constexpr base::NodeNumber kPeer = 2;

// The peer's data, answering as server/worker_peers.cc does.
struct PeerStore {
  explicit PeerStore(OneWorker& one) : node(one), tree(kDefault) {
    node.peer(kPeer).answer = [this](const wire::Frame& asked) { return Answer(asked); };
  }

  void Put(const std::string& key, const std::string& value) {
    const base::Token token = node.TokenOf(key);
    const storage::EntryHeader header{.version = {static_cast<std::uint64_t>(++stamps) << 16, 2, 1},
                                      .value_digest = storage::ValueDigest(value)};
    std::string data_key, entry;
    storage::EncodeDataKeyTo({kDefault, token, key}, data_key);
    storage::EncodeEntryTo(header, value, entry);
    PutRaw(data_key, entry);
    tree.Add(base::BucketOf(token),
             merkle::DigestOf(key, {header.version, 0, 0, header.value_digest},
                              node.topology().token_seed));
  }
  void PutRaw(base::Bytes key, base::Bytes value) {
    storage::Batch batch;
    batch.Put(storage::Family::kData, key, value);
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(engine.Write(batches, storage::Sync::kNo).ok());
  }
  // Damages what is stored of a key.
  void Spoil(const std::string& key) {
    std::string data_key;
    storage::EncodeDataKeyTo({kDefault, node.TokenOf(key), key}, data_key);
    PutRaw(data_key, "no entry");
  }

  std::string Answer(const wire::Frame& asked) {
    if (asked.kind == wire::Kind::kSliceHashes) {
      const auto request = wire::Decode<wire::SliceHashesRequest>(asked.header);
      std::string hashes;
      for (const std::uint64_t hash :
           merkle::HashSlice(tree, request->slice, merkle::BucketSet::All(), request->salt))
        base::AppendLittle(hashes, static_cast<std::uint32_t>(hash));
      return FrameOf(asked.request_id, wire::SliceHashesReply{request->epoch, base::Hash64(hashes)},
                     hashes);
    }
    if (asked.kind != wire::Kind::kBucketPull)  // A client's read, when we abstain.
      return FrameOf(asked.request_id, wire::ErrorReply{});
    const auto pull = wire::Decode<wire::BucketPull>(asked.header);
    REQUIRE(pull.has_value());
    summaries.push_back(asked.payload.size());
    PageRequest request{kDefault, base::FirstToken(pull->bucket), {}, pull->last_token, page_bytes};
    if (!pull->after.empty()) {
      request.from_token = base::LoadBig<base::Token>(pull->after.data());
      request.after_key = pull->after.substr(8);
    }
    Page page = ReadMissing(engine, request, asked.payload);
    sent += page.entries;
    if (spoil_page) spoil_page(page.packed);
    std::string after;
    if (!page.done) {
      base::AppendBig(after, endless ? request.from_token : page.last_read_token);
      after += endless ? request.after_key : page.last_read_key;
    }
    return FrameOf(
        asked.request_id,
        wire::BucketPullReply{page.done, after, base::Hash64(page.packed), page.unreadable.entries},
        page.packed);
  }

  OneWorker& node;
  merkle::Tree tree;
  std::shared_ptr<storage::MemoryDisk> disk = std::make_shared<storage::MemoryDisk>();
  storage::MemoryEngine engine{disk};
  std::uint64_t stamps = 1'700'000'000'000;
  std::size_t page_bytes = kPageBytesStandard;
  std::function<void(std::string&)> spoil_page;
  bool endless = false;
  std::uint64_t sent = 0;
  std::vector<std::size_t> summaries;
};

std::unique_ptr<PullDoneMail> PullAll(OneWorker& node) {
  auto order = std::make_unique<PullMail>();
  order->serial = 5;
  order->peer = kPeer;
  for (unsigned slice = 0; slice < base::kSlices; ++slice)
    order->slices.emplace_back(kDefault, static_cast<std::uint8_t>(slice));
  node.Tell(std::move(order));
  auto done = node.Hear<PullDoneMail>();
  node.RunFor(base::seconds(1));  // What was taken is committed.
  return done;
}

std::size_t Held(OneWorker& node) {
  const Page page = ReadPage(node.engine, {kDefault, 0, {}, ~base::Token{0}, std::size_t{1} << 30});
  REQUIRE(page.status.ok());
  return page.entries;
}

std::string Key(int i) { return fmt::format("key{}", i); }

TEST_SUITE("server/repair_pull") {
  TEST_CASE("what is missing comes, each entry once, and nothing of what is there") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    for (int i = 0; i < 500; ++i) peer.Put(Key(i), "value");
    node.Start({kPeer});
    const auto done = PullAll(node);
    EXPECT(done->serial == 5);
    EXPECT(done->status.ok());
    EXPECT(done->entries == 500);
    EXPECT(Held(node) == 500);
    EXPECT(PullAll(node)->entries == 0);
    EXPECT(peer.sent == 500);
  }

  TEST_CASE("one damaged entry of the peer is told of, and all others come") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    for (int i = 0; i < 500; ++i) peer.Put(Key(i), "value");
    peer.Spoil(Key(123));
    node.Start({kPeer});
    for (int session = 0; session < 2; ++session) {
      const auto done = PullAll(node);
      EXPECT(done->status.code() == base::Code::kCorruption);
      EXPECT(done->status.message().find("of node 2") != std::string::npos);
      EXPECT(done->entries == (session == 0 ? 499 : 0));
      EXPECT(Held(node) == 499);
    }
    EXPECT(node.Stats().repair.unreadable == 2);
    peer.Put(Key(123), "mended");
    EXPECT(PullAll(node)->status.ok());
    EXPECT(Held(node) == 500);
  }

  TEST_CASE("a value that does not fit its digest is left out, and all others come") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    for (int i = 0; i < 300; ++i) peer.Put(Key(i), i == 77 ? "SPOIL" : "value");
    peer.spoil_page = [](std::string& page) {
      if (const auto at = page.find("SPOIL"); at != std::string::npos) page[at] = 's';
    };
    node.Start({kPeer});
    const auto done = PullAll(node);
    EXPECT(done->status.code() == base::Code::kCorruption);
    EXPECT(done->entries == 299);
    EXPECT(Held(node) == 299);
  }

  TEST_CASE("a page that is cut short costs its bucket, not the others") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    for (int i = 0; i < 2000; ++i) peer.Put(Key(i), i == 77 ? "SPOIL" : "value");
    peer.spoil_page = [](std::string& page) {
      if (page.find("SPOIL") != std::string::npos) page.pop_back();
    };
    node.Start({kPeer});
    const auto done = PullAll(node);
    EXPECT(!done->status.ok());
    EXPECT(Held(node) >= 1990);
    EXPECT(Held(node) < 2000);
  }

  TEST_CASE("a damaged entry of ours does not keep others from coming") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    for (int i = 0; i < 300; ++i) peer.Put(Key(i), "value");
    std::string data_key;
    storage::EncodeDataKeyTo({kDefault, node.TokenOf(Key(5)), Key(5)}, data_key);
    storage::Batch batch;
    batch.Put(storage::Family::kData, data_key, "no entry");
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(node.engine.Write(batches, storage::Sync::kNo).ok());
    node.Start({kPeer});
    const auto done = PullAll(node);
    EXPECT(done->status.code() == base::Code::kCorruption);
    EXPECT(done->status.message().find("of this node") != std::string::npos);
    std::size_t held = 0;
    for (int i = 0; i < 300; ++i)
      held += node.Ask(wire::GetRequest{.keyspace = kDefault,
                                        .key = Key(i),
                                        .level = wire::Consistency::kOne,
                                        .deadline_ms = 100})
                  .kind == wire::Kind::kGetReply;
    EXPECT(held >= 299);
  }

  TEST_CASE("entries of the largest size come, a page each") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    const std::string largest(storage::kValueBytesMax, 'x');
    std::map<std::uint16_t, std::vector<std::string>> of_bucket;
    std::vector<std::string> keys;
    for (int i = 0; keys.size() < 2; ++i) {  // Two in one bucket.
      auto& found = of_bucket[base::BucketOf(node.TokenOf(Key(i)))];
      found.push_back(Key(i));
      if (found.size() == 2) keys = found;
    }
    for (const std::string& key : keys) peer.Put(key, largest);
    node.Start({kPeer});
    const auto done = PullAll(node);
    EXPECT(done->status.ok());
    EXPECT(done->entries == 2);
    EXPECT(Held(node) == 2);
  }

  TEST_CASE("what is pulled waits for a slow disk, and clients' writes find room meanwhile") {
    Config config;
    config.limits.memory_bytes_max = 4 << 20;
    OneWorker node(topology::FoundedBy(2), config);
    node.faults().sync_max = base::milliseconds(500);
    PeerStore peer(node);
    constexpr int kEntries = 300;
    for (int i = 0; i < kEntries; ++i) peer.Put(Key(i), std::string(64 << 10, 'x'));
    node.Start({kPeer});
    auto order = std::make_unique<PullMail>();
    order->peer = kPeer;
    for (unsigned slice = 0; slice < base::kSlices; ++slice)
      order->slices.emplace_back(kDefault, static_cast<std::uint8_t>(slice));
    node.Tell(std::move(order));
    int overloaded = 0;
    for (int i = 0; Held(node) < kEntries && i < 200; ++i) {
      wire::PutRequest put;
      put.keyspace = kDefault;
      put.key = "client";
      put.level = wire::Consistency::kOne;
      put.value_digest = storage::ValueDigest({});
      const Told told = node.Ask(put);
      if (told.kind != wire::Kind::kError) continue;
      overloaded += wire::Decode<wire::ErrorReply>(told.header)->code == base::Code::kOverloaded;
    }
    EXPECT(overloaded == 0);
    EXPECT(Held(node) > kEntries);
    EXPECT(node.Hear<PullDoneMail>()->entries == kEntries);
  }

  TEST_CASE("pages that do not come to an end are given up") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    peer.page_bytes = 1;
    peer.endless = true;
    std::map<std::uint16_t, int> of_bucket;
    for (int i = 0; i < 20'000; ++i) {
      const std::uint16_t bucket = base::BucketOf(node.TokenOf(Key(i)));
      if (of_bucket[bucket]++ < 3) peer.Put(Key(i), "value");
    }
    node.Start({kPeer});
    const auto done = PullAll(node);
    EXPECT(done->status.code() == base::Code::kCorruption);
  }
}

}  // namespace
}  // namespace starling::server
