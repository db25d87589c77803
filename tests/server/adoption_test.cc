// Goal:   the mark of a bucket that is adopted rises with or after all that the peer has of it, and
//         not at all if some of that did not come to be stored here.
// Method: a real worker pulls from a played peer that has purged further. Each lookup of an old
//         version goes to a slow disk; after each millisecond the disk is what a crash would leave.
#include "server/adoption.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/server/pulled_peer.h"

namespace starling::server {
namespace {

constexpr std::uint64_t kAdoptedMs = 1'600'000'000'000;
constexpr std::uint64_t kPeersMark = (kAdoptedMs + 1) << 16;

// Keys in pairs: two of each bucket.
std::vector<std::string> PairsOfKeys(const OneWorker& node, std::size_t buckets) {
  std::map<std::uint16_t, std::string> first;
  std::vector<std::string> found;
  for (int i = 0; found.size() < 2 * buckets; ++i) {
    const std::uint16_t bucket = base::BucketOf(node.TokenOf(Key(i)));
    const auto [it, fresh] = first.emplace(bucket, Key(i));
    if (fresh || it->second.empty()) continue;
    found.push_back(std::exchange(it->second, {}));
    found.push_back(Key(i));
  }
  return found;
}

// Else it would know that there are no old versions to be looked up (server/fresh_keys.h).
void BeginWithSomething(OneWorker& node) {
  std::string data_key;
  storage::EncodeDataKeyTo({kDefault + 1, 0, "of a keyspace that was dropped"}, data_key);
  storage::Batch batch;
  batch.Put(storage::Family::kData, data_key, "whatever");
  const storage::Batch* const batches[] = {&batch};
  REQUIRE(node.engine.Write(batches, storage::Sync::kYes).ok());
}

TEST_SUITE("server/adoption") {
  TEST_CASE("whenever it crashes, no mark is on the disk without what was pulled below it") {
    for (const std::size_t page_bytes : {kPageBytesStandard, std::size_t{200}}) {
      OneWorker node(topology::FoundedBy(2), {}, {.miss_probability = 1});
      PeerStore peer(node);
      const std::vector<std::string> keys = PairsOfKeys(node, 4);
      for (const std::string& key : keys) peer.PutAt(key, "value", kAdoptedMs);
      peer.purged = kPeersMark;
      peer.page_bytes = page_bytes;
      node.faults().read_max = base::milliseconds(500);
      BeginWithSomething(node);
      node.Start({kPeer});
      node.Tell(OrderOfAll());
      std::size_t early = 0;
      for (int ms = 0; ms < 20'000 && node.Stats().adopted < 4; ++ms) {
        node.RunFor(base::milliseconds(1));
        for (const std::string& key : keys)
          if (MarkOnDisk(node, base::BucketOf(node.TokenOf(key))) >= kPeersMark &&
              !HasOnDisk(node, key))
            ++early;
      }
      node.RunFor(base::seconds(1));
      EXPECT(early == 0);
      EXPECT(node.Stats().adopted == 4);
      for (const std::string& key : keys)
        EXPECT(MarkOnDisk(node, base::BucketOf(node.TokenOf(key))) == kPeersMark);
      EXPECT(node.Hear<PullDoneMail>()->entries == keys.size());
    }
  }

  TEST_CASE("an order ends once all that it brought is stored, however long that takes") {
    OneWorker node(topology::FoundedBy(2), {}, {.miss_probability = 1});
    PeerStore peer(node);
    const std::vector<std::string> keys = PairsOfKeys(node, 4);
    for (const std::string& key : keys) peer.Put(key, "value");
    node.faults().read_max = base::milliseconds(500);
    BeginWithSomething(node);
    node.Start({kPeer});
    node.Tell(OrderOfAll());
    EXPECT(node.Hear<PullDoneMail>()->entries == keys.size());
    for (const std::string& key : keys) EXPECT(HasOnDisk(node, key));
  }

  TEST_CASE("a bucket of which an entry is not taken keeps its mark, and the others rise") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    const std::vector<std::string> keys = PairsOfKeys(node, 2);
    for (const std::string& key : keys) peer.PutAt(key, "value", kAdoptedMs);
    peer.purged = kPeersMark;
    SUBCASE("since what is here in its place cannot be read") {
      std::string data_key;
      storage::EncodeDataKeyTo({kDefault, node.TokenOf(keys[0]), keys[0]}, data_key);
      storage::Batch batch;
      batch.Put(storage::Family::kData, data_key, "no entry");
      const storage::Batch* const batches[] = {&batch};
      REQUIRE(node.engine.Write(batches, storage::Sync::kYes).ok());
    }
    SUBCASE("since it was damaged on its way") {
      const std::string value = "value of keys[0]";
      peer.PutAt(keys[0], value, kAdoptedMs);
      peer.spoil_page = [value](std::string& packed) {
        const std::size_t at = packed.find(value);
        if (at != std::string::npos) packed[at] = 'x';
      };
    }
    node.Start({kPeer});
    PullAll(node);
    EXPECT(node.Stats().adopted == 1);
    EXPECT(MarkOnDisk(node, base::BucketOf(node.TokenOf(keys[0]))) == 0);
    EXPECT(MarkOnDisk(node, base::BucketOf(node.TokenOf(keys[2]))) == kPeersMark);
  }

  TEST_CASE("a full disk takes no entry, and no mark rises for it") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    const std::vector<std::string> keys = PairsOfKeys(node, 4);
    for (const std::string& key : keys) peer.PutAt(key, "value", kAdoptedMs);
    peer.purged = kPeersMark;
    node.Start({kPeer});
    // When the first page is on its way.
    peer.spoil_reply = [&](wire::BucketPullReply&) { node.SetDiskFull(true); };
    EXPECT(!PullAll(node)->status.ok());
    EXPECT(node.Stats().adopted == 0);
    EXPECT(MarkOnDisk(node, base::BucketOf(node.TokenOf(keys[0]))) == 0);
    node.SetDiskFull(false);
    peer.spoil_reply = {};
    EXPECT(PullAll(node)->entries == keys.size());
    EXPECT(node.Stats().adopted == 4);
  }

  TEST_CASE("a peer whose mark is lower with a later page, is not taken over") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    const std::vector<std::string> keys = PairsOfKeys(node, 1);
    for (const std::string& key : keys) peer.PutAt(key, "value", kAdoptedMs);
    peer.purged = kPeersMark;
    peer.page_bytes = 20;
    // As when it had told of a mark that it had not stored, crashed, and came back.
    int pages = 0;
    peer.spoil_reply = [&](wire::BucketPullReply& reply) {
      if (++pages == 1) return;
      reply.named_upto = 0;
      reply.purged = 0;
    };
    node.Start({kPeer});
    PullAll(node);
    EXPECT(pages == 2);
    EXPECT(node.Stats().adopted == 0);
    EXPECT(MarkOnDisk(node, base::BucketOf(node.TokenOf(keys[0]))) == 0);
  }
}

}  // namespace
}  // namespace starling::server
