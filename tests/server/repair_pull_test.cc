// Goal:   what a peer has and we lack is pulled; one damaged entry, there, here or on its way, is
//         counted and told of, and keeps nothing else back; a peer's pages cannot run for ever; a
//         bucket is adopted only if all that the peer has in it was named.
// Method: a real worker is ordered to pull; the test plays the peer from a store of its own.
#include "server/repair_pull.h"

#include <fmt/core.h>
#include <rapidcheck.h>

#include <map>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/random.h"
#include "merkle/compare.h"
#include "merkle/tree.h"
#include "server/bucket_parts.h"
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

  void Put(const std::string& key, const std::string& value) { PutAt(key, value, ++stamps); }
  void PutAt(const std::string& key, const std::string& value, std::uint64_t stamp_ms) {
    const base::Token token = node.TokenOf(key);
    const storage::EntryHeader header{.version = {stamp_ms << 16, 2, 1},
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
    if (asked.kind == wire::Kind::kBucketParts) {
      const auto ask = wire::Decode<wire::BucketParts>(asked.header);
      REQUIRE(ask.has_value());
      hashes_of_parts += asked.payload.size();
      const PartsRead read =
          ReadParts(engine, {kDefault, ask->first_token, {}, ask->last_token},
                    static_cast<std::uint32_t>(asked.payload.size() / 4), ask->salt);
      std::string bits = DifferingParts(read.packed, asked.payload);
      if (purged > ask->purged && !narrows) bits.assign(bits.size(), '\xff');
      return FrameOf(asked.request_id, wire::BucketPartsReply{base::Hash64(bits)}, bits);
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
    if (purged > pull->purged) request.names_upto = purged;
    Page page = ReadMissing(engine, request, asked.payload);
    sent += page.entries;
    if (spoil_page) spoil_page(page.packed);
    std::string after;
    if (!page.done) {
      base::AppendBig(after, endless ? request.from_token : page.last_read_token);
      after += endless ? request.after_key : page.last_read_key;
    }
    const std::string payload = page.names + page.packed;
    return FrameOf(
        asked.request_id,
        wire::BucketPullReply{.done = page.done,
                              .after = after,
                              .payload_digest = base::Hash64(payload),
                              .unreadable = page.unreadable.entries,
                              .epoch = purged == 0 ? 0 : pull->epoch,
                              .purged = purged,
                              .named_upto = request.names_upto,
                              .names_bytes = static_cast<std::uint32_t>(page.names.size())},
        payload);
  }

  OneWorker& node;
  merkle::Tree tree;
  std::shared_ptr<storage::MemoryDisk> disk = std::make_shared<storage::MemoryDisk>();
  storage::MemoryEngine engine{disk};
  std::uint64_t stamps = 1'700'000'000'000;
  std::size_t page_bytes = kPageBytesStandard;
  std::function<void(std::string&)> spoil_page;
  bool endless = false;
  std::uint64_t purged = 0;  // Its mark of each bucket.
  bool narrows = false;      // To parts that differ, whatever the marks.
  std::uint64_t sent = 0;
  std::size_t hashes_of_parts = 0;  // Bytes.
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

// What the worker finds on its disk when it starts: entries, and their leaves.
struct OwnStore {
  explicit OwnStore(OneWorker& one) : node(one), tree(kDefault) {}
  void PutAt(const std::string& key, std::uint64_t stamp_ms) {
    const base::Token token = node.TokenOf(key);
    const storage::EntryHeader header{.version = {stamp_ms << 16, 2, 1},
                                      .value_digest = storage::ValueDigest("value")};
    std::string data_key, entry;
    storage::EncodeDataKeyTo({kDefault, token, key}, data_key);
    storage::EncodeEntryTo(header, "value", entry);
    batch.Put(storage::Family::kData, data_key, entry);
    tree.Add(base::BucketOf(token),
             merkle::DigestOf(key, {header.version, 0, 0, header.value_digest},
                              node.topology().token_seed));
  }
  void Write() {
    for (const std::uint16_t bucket : tree.dirty())
      batch.Put(storage::Family::kTree, merkle::LeafKey(kDefault, bucket),
                merkle::EncodeLeaf(tree.Leaf(bucket)));
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(node.engine.Write(batches, storage::Sync::kYes).ok());
  }
  OneWorker& node;
  merkle::Tree tree;
  storage::Batch batch;
};

// Keys of one bucket, more than are told of at once.
const std::vector<std::string>& KeysOfOneBucket() {
  static const std::vector<std::string> keys = [] {
    const OneWorker node(topology::FoundedBy(2));
    std::vector<std::string> found;
    for (int i = 0; found.size() < 150; ++i) {
      std::string key = fmt::format("{:x}", i);
      if (base::BucketOf(node.TokenOf(key)) == 77) found.push_back(std::move(key));
    }
    return found;
  }();
  return keys;
}

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

  TEST_CASE("law: entries sent are those missing or older here, however many, on either side") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      OneWorker node(topology::FoundedBy(2));
      PeerStore peer(node);
      OwnStore own(node);
      peer.page_bytes = random.Chance(0.5) ? kPageBytesStandard : 400;
      std::vector<std::string> keys = KeysOfOneBucket();
      for (int i = 0; i < 50; ++i) keys.push_back(Key(i));
      random.Shuffle(keys);
      const std::size_t damaged =
          random.Chance(0.3) ? keys.size() : random.Below(random.Chance(0.5) ? 4 : keys.size());
      std::uint64_t lacked = 0, all = 0;
      for (std::size_t i = 0; i < keys.size(); ++i) {
        constexpr std::uint64_t kOld = 1'600'000'000'000, kNew = kOld + 1;
        const std::uint64_t how = i < damaged ? 1 + random.Below(4) : 0;
        if (how != 1) own.PutAt(keys[i], how == 2 ? kOld : kNew);
        if (how != 3) peer.PutAt(keys[i], "value", how == 4 ? kOld : kNew);
        lacked += how == 1 || how == 2 ? 1 : 0;
        ++all;
      }
      own.Write();
      node.Start({kPeer});
      const auto done = PullAll(node);
      RC_ASSERT(done->status.ok());
      RC_ASSERT(done->entries == lacked);
      RC_ASSERT(peer.sent == lacked);
      RC_ASSERT(Held(node) == all);
    }));
  }

  TEST_CASE("of a large bucket only the entries of parts that differ are told of") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    OwnStore own(node);
    const auto& keys = KeysOfOneBucket();
    for (std::size_t i = 0; i < keys.size(); ++i) {
      peer.PutAt(keys[i], "value", 1'600'000'000'000);
      if (i != 70) own.PutAt(keys[i], 1'600'000'000'000);
    }
    own.Write();
    node.Start({kPeer});
    EXPECT(PullAll(node)->entries == 1);
    EXPECT(peer.sent == 1);
    EXPECT(peer.hashes_of_parts == 4 * PartCountFor(keys.size() - 1));
    REQUIRE(peer.summaries.size() == 1);
    EXPECT(peer.summaries[0] < 30 * kSummaryRecordBytes);
  }

  TEST_CASE("a large bucket is adopted from a higher mark, unless parts of it counted as equal") {
    constexpr std::uint64_t kStampMs = 1'600'000'000'000;
    for (const bool narrows : {false, true})
      for (const std::size_t page_bytes : {kPageBytesStandard, std::size_t{400}}) {
        OneWorker node(topology::FoundedBy(2));
        PeerStore peer(node);
        OwnStore own(node);
        const auto& keys = KeysOfOneBucket();
        // Of these one is too many; when 60 are missing, there is no part that does not differ.
        const std::size_t held = narrows ? keys.size() - 1 : 90;
        for (std::size_t i = 0; i < keys.size(); ++i) {
          if (i != 70) peer.PutAt(keys[i], "value", kStampMs);
          if (i < held) own.PutAt(keys[i], kStampMs);
        }
        own.Write();
        peer.purged = (kStampMs + 1) << 16;
        peer.narrows = narrows;
        peer.page_bytes = page_bytes;
        node.Start({kPeer});
        EXPECT(PullAll(node)->entries == keys.size() - held);
        const std::uint64_t adopted = narrows ? 0 : 1;
        EXPECT(node.Stats().adopted == adopted);
        EXPECT(node.Stats().quarantined == adopted);
        EXPECT(Held(node) == keys.size() - adopted);
      }
  }

  TEST_CASE("no more than repair.rate a second is read and taken") {
    Config config;
    config.repair.bytes_per_second = 1 << 20;
    OneWorker node(topology::FoundedBy(2), config);
    PeerStore peer(node);
    constexpr int kEntries = 100;
    for (int i = 0; i < kEntries; ++i) peer.Put(Key(i), std::string(100'000, 'x'));
    node.Start({kPeer});
    auto order = std::make_unique<PullMail>();
    order->peer = kPeer;
    for (unsigned slice = 0; slice < base::kSlices; ++slice)
      order->slices.emplace_back(kDefault, static_cast<std::uint8_t>(slice));
    const base::Instant began = node.Now();
    node.Tell(std::move(order));
    EXPECT(node.Hear<PullDoneMail>(base::seconds(60))->entries == kEntries);
    const base::Duration took = node.Now() - began;
    EXPECT(took > base::seconds(7));  // 10 MB, less what was asked for before any had come.
    EXPECT(took < base::seconds(12));
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
    // Its leaf is as it was before the damage. Where the tree knows of no entry, none is looked
    // for.
    batch.Put(storage::Family::kTree,
              merkle::LeafKey(kDefault, base::BucketOf(node.TokenOf(Key(5)))),
              merkle::EncodeLeaf({1, 2, 3}));
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
