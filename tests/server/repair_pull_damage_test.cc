// Goal:   one damaged entry, there, here or on its way, is counted and told of, and keeps nothing
// else
//         back; what a peer's page says of itself is not believed blindly, and pages come to an
//         end.
// Method: a real worker is ordered to pull; the test plays the peer from a store of its own.
#include <map>

#include "tests/server/pulled_peer.h"

namespace starling::server {
namespace {

TEST_SUITE("server/repair_pull: damage") {
  TEST_CASE("one damaged entry of the peer is told of, and all others come") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    for (int i = 0; i < 500; ++i) peer.Put(Key(i), "value");
    peer.Spoil(Key(123));
    node.Start({kPeer});
    for (int session = 0; session < 2; ++session) {
      const auto done = PullAll(node);
      EXPECT(!node.MetDamage());  // It has none itself.
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

  TEST_CASE(
      "a page of many buckets that does not add up costs one bucket, and is asked for again") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    for (int i = 0; i < 2000; ++i) peer.Put(Key(i), "value");
    int left = 3;
    peer.spoil_reply = [&](wire::BucketPullReply& reply) {
      if (reply.further.empty() || left == 0) return;
      --left;
      if (left == 2) reply.further[0].bytes = 1 << 30;
      if (left == 1) reply.further.resize(base::kLeavesPerSlice - 1);
      if (left == 0) reply.names_bytes = 1 << 30;
    };
    node.Start({kPeer});
    EXPECT(PullAll(node)->status.code() == base::Code::kCorruption);
    EXPECT(left == 0);
    EXPECT(node.Stats().repair.unreadable == 3);
    EXPECT(Held(node) >= 1990);
    EXPECT(PullAll(node)->status.ok());
    EXPECT(Held(node) == 2000);
  }

  TEST_CASE("an entry under another bucket of its page is refused") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    for (int i = 0; i < 500; ++i) peer.Put(Key(i), "value");
    peer.spoil_reply = [](wire::BucketPullReply& reply) {
      if (reply.further.size() < 2) return;
      reply.further[0].bytes += reply.further[1].bytes;
      reply.further[1].bytes = 0;
    };
    node.Start({kPeer});
    EXPECT(PullAll(node)->status.message().find("of another bucket") != std::string::npos);
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
    EXPECT(node.MetDamage());
    std::size_t held = 0;
    for (int i = 0; i < 300; ++i)
      held += node.Ask(wire::GetRequest{.keyspace = kDefault,
                                        .key = Key(i),
                                        .level = wire::Consistency::kOne,
                                        .deadline_ms = 100})
                  .kind == wire::Kind::kGetReply;
    EXPECT(held >= 299);
  }

  TEST_CASE("pages that do not come to an end are given up") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    peer.page_bytes = 1;
    peer.endless = true;
    std::map<std::uint16_t, int> of_bucket;
    for (int i = 0; i < 2'000; ++i) {
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
