// Goal:   what a peer has and we lack is pulled, and nothing else; what is empty here comes many
//         buckets a page; a bucket is adopted only if all that the peer has in it was named; and
//         clients find room beside it.
// Method: a real worker is ordered to pull; the test plays the peer from a store of its own.
#include "server/repair_pull.h"

#include <fmt/core.h>
#include <rapidcheck.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/server/pulled_peer.h"

namespace starling::server {
namespace {

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

// Keys of one slice, in nearly as many buckets.
std::vector<std::string> KeysOfOneSlice(const OneWorker& node, std::size_t count) {
  std::vector<std::string> found;
  for (int i = 0; found.size() < count; ++i)
    if (base::SliceOf(base::BucketOf(node.TokenOf(Key(i)))) == 5) found.push_back(Key(i));
  return found;
}

std::size_t BucketsOf(const OneWorker& node, const std::vector<std::string>& keys) {
  std::set<std::uint16_t> buckets;
  for (const std::string& key : keys) buckets.insert(base::BucketOf(node.TokenOf(key)));
  return buckets.size();
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
      for (std::string& key : KeysOfOneSlice(node, 60)) keys.push_back(std::move(key));
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

  TEST_CASE("buckets of which nothing is here come many a page") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    OwnStore own(node);
    const auto keys = KeysOfOneSlice(node, 100);
    REQUIRE(BucketsOf(node, keys) > 60);
    for (const std::string& key : keys) peer.PutAt(key, "value", 1'600'000'000'000);
    SUBCASE("all of a slice in one, when it is empty here") {
      node.Start({kPeer});
      EXPECT(PullAll(node)->entries == 100);
      EXPECT(peer.summaries.size() == 1);
    }
    SUBCASE("one that is not empty is asked for by itself, with what is here") {
      std::string lowest = keys[0], highest = keys[0];
      for (const std::string& key : keys) {
        if (node.TokenOf(key) < node.TokenOf(lowest)) lowest = key;
        if (node.TokenOf(key) > node.TokenOf(highest)) highest = key;
      }
      own.PutAt(highest, 1'500'000'000'000);
      own.Write();
      node.Start({kPeer});
      EXPECT(PullAll(node)->entries == 100);
      REQUIRE(peer.summaries.size() == 2);
      EXPECT(peer.summaries[0] == 0);
      EXPECT(peer.summaries[1] == kSummaryRecordBytes);
    }
    SUBCASE("in as many as their size needs, each entry once") {
      peer.page_bytes = 300;
      node.Start({kPeer});
      EXPECT(PullAll(node)->entries == 100);
      EXPECT(peer.sent == 100);
      EXPECT(peer.summaries.size() > 20);
      EXPECT(peer.summaries.size() < 50);
    }
    EXPECT(Held(node) == 100);
  }

  TEST_CASE("of many buckets in a page each is adopted from the mark that the peer has of it") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    const auto keys = KeysOfOneSlice(node, 100);
    for (const std::string& key : keys) peer.PutAt(key, "value", 1'600'000'000'000);
    peer.purged = 1'600'000'000'001ULL << 16;
    SUBCASE("in one page") {}
    SUBCASE("in many") { peer.page_bytes = 300; }
    node.Start({kPeer});
    EXPECT(PullAll(node)->entries == 100);
    EXPECT(node.Stats().adopted == BucketsOf(node, keys));
    EXPECT(node.Stats().quarantined == 0);
    EXPECT(Held(node) == 100);
  }

  TEST_CASE("of many buckets in a page an entry is taken by its own bucket's mark") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    constexpr std::uint64_t kStampMs = 1'600'000'000'000;
    const auto keys = KeysOfOneSlice(node, 100);
    for (const std::string& key : keys) peer.PutAt(key, "value", kStampMs);
    // Here all of these buckets are purged up to a later time: what a peer with a lower mark still
    // has of before is not to come back, from whichever bucket of the page.
    purge::Marks marks;
    for (const std::string& key : keys)
      marks.Purge(kDefault, base::BucketOf(node.TokenOf(key)), (kStampMs + 1) << 16);
    storage::Batch batch;
    marks.StoreDirty(batch);
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(node.engine.Write(batches, storage::Sync::kYes).ok());
    std::size_t of_higher = 0;
    std::uint16_t higher = 0;
    for (const std::string& key : keys)
      higher = std::max(higher, base::BucketOf(node.TokenOf(key)));
    for (const std::string& key : keys) of_higher += base::BucketOf(node.TokenOf(key)) == higher;
    // The peer says of one bucket alone, the last, that it is purged there as well.
    peer.spoil_reply = [](wire::BucketPullReply& reply) {
      reply.epoch = 1;
      if (!reply.further.empty()) reply.further.back().purged = (kStampMs + 1) << 16;
    };
    node.Start({kPeer});
    REQUIRE(node.topology().epoch == 1);
    PullAll(node);
    EXPECT(Held(node) == of_higher);
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

  TEST_CASE("how long a pull has yet to go is told by what it took so far") {
    EXPECT(SliceProgress{}.Left() == base::Duration(0));
    EXPECT(!SliceProgress{.slices = 256, .elapsed = base::seconds(1)}.Left().has_value());
    SliceProgress sum{.slices = 100, .done = 20, .elapsed = base::seconds(10)};
    sum += {.slices = 100, .done = 30, .elapsed = base::seconds(9)};
    EXPECT(sum.Left() == base::seconds(30));
  }

  TEST_CASE("no more than repair.rate a second is read and taken") {
    Config config;
    config.repair.bytes_per_second = 1 << 20;
    OneWorker node(topology::FoundedBy(2), config);
    PeerStore peer(node);
    constexpr int kEntries = 100;
    for (int i = 0; i < kEntries; ++i) peer.Put(Key(i), std::string(100'000, 'x'));
    node.Start({kPeer});
    const base::Instant began = node.Now();
    EXPECT(node.Stats().repair.pulling.slices == 0);
    node.Tell(OrderOfAll());
    node.RunFor(base::seconds(4));
    const SliceProgress half = node.Stats().repair.pulling;
    EXPECT(half.slices == base::kSlices);
    EXPECT(half.done > 0);
    EXPECT(half.done < base::kSlices);
    EXPECT(half.elapsed > base::seconds(3));
    REQUIRE(half.Left().has_value());
    EXPECT(*half.Left() > base::seconds(2));
    EXPECT(*half.Left() < base::seconds(12));
    EXPECT(node.Hear<PullDoneMail>(base::seconds(60))->entries == kEntries);
    const base::Duration took = node.Now() - began;
    EXPECT(took > base::seconds(7));  // 10 MB, less what was asked for before any had come.
    EXPECT(took < base::seconds(12));
    EXPECT(node.Stats().repair.pulling.slices == 0);
  }

  TEST_CASE("its own pull goes on while its peers ask for more than the rate gives") {
    Config config;
    config.repair.bytes_per_second = 1 << 20;
    OneWorker node(topology::FoundedBy(2), config);
    storage::Batch batch;
    for (std::size_t i = 0; i < 10; ++i) {
      const std::string& key = KeysOfOneBucket()[i];
      const std::string value(30'000, 'x');
      std::string data_key, entry;
      storage::EncodeDataKeyTo({kDefault, node.TokenOf(key), key}, data_key);
      storage::EncodeEntryTo({.version = {1'600'000'000'000ULL << 16, 2, 1},
                              .value_digest = storage::ValueDigest(value)},
                             value, entry);
      batch.Put(storage::Family::kData, data_key, entry);
    }
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(node.engine.Write(batches, storage::Sync::kYes).ok());
    PeerStore peer(node);
    constexpr int kEntries = 30;
    for (int i = 0; i < kEntries; ++i) peer.Put(Key(i), std::string(100'000, 'x'));
    node.Start({kPeer});
    wire::BucketPull pull;
    pull.keyspace = kDefault;
    pull.bucket = 77;
    pull.bytes_max = 32 << 10;
    pull.epoch = node.topology().epoch;
    pull.payload_digest = base::Hash64({});
    pull.last_token = base::LastToken(77);
    pull.cut_s = merkle::NewestCut(node.WallMs());
    const std::string asked = FrameOf(1, pull);
    node.Tell(OrderOfAll());
    int tenths = 0;  // Of a second. By itself the pull takes 30.
    for (; Held(node) < kEntries + 10 && tenths < 200; ++tenths) {
      for (int i = 0; i < 8; ++i) node.Tell(FromPeer(asked));  // Some 5 MB a second.
      node.RunFor(base::milliseconds(100));
    }
    EXPECT(tenths < 90);
    EXPECT(node.Stats().repair.entries_sent > 25);  // Of theirs.
  }

  TEST_CASE("no more is asked for while what was taken waits for the disk") {
    Config config;
    config.repair.run_bytes = 0;  // What is gathered for tables has a bound of its own.
    OneWorker node(topology::FoundedBy(2), config);
    PeerStore peer(node);
    constexpr int kEntries = 400;
    constexpr std::size_t kValueBytes = 16 << 10;
    for (int i = 0; i < kEntries; ++i) peer.Put(Key(i), std::string(kValueBytes, 'x'));
    node.Start({kPeer});
    node.faults().sync_max = base::milliseconds(500);
    node.Tell(OrderOfAll());
    // A page of each slice that is being worked on may come on top, and of a page its last entry.
    constexpr std::size_t kMost = (kTakingBytesMax + 8 * ((32 << 10) + kValueBytes)) / kValueBytes;
    std::size_t most = 0;
    for (int i = 0; Held(node) < kEntries && i < 5000; ++i) {
      node.RunFor(base::milliseconds(20));
      most = std::max(most, peer.sent - Held(node));
    }
    EXPECT(most > 8);
    EXPECT(most <= kMost);
    EXPECT(node.Hear<PullDoneMail>(base::seconds(60))->entries == kEntries);
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
    node.Tell(OrderOfAll());
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
}

}  // namespace
}  // namespace starling::server
