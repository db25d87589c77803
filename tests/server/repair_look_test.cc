// Goal:   who only looks is told which ranges differ, in how many buckets and with how many entries
//         here; nothing is read, moved or shown as a pull.
// Method: a real worker is ordered to look; the test plays the peer from a store of its own.
#include "tests/server/pulled_peer.h"
#include "tests/test.h"

namespace starling::server {
namespace {

std::unique_ptr<PullDoneMail> LookAtAll(OneWorker& node) {
  auto order = OrderOfAll();
  order->only_look = true;
  node.Tell(std::move(order));
  return node.Hear<PullDoneMail>();
}

TEST_SUITE("server/repair_look") {
  TEST_CASE("a look tells of buckets that differ and leaves them so") {
    OneWorker node(topology::FoundedBy(2));
    PeerStore peer(node);
    for (int i = 0; i < 500; ++i) peer.Put(Key(i), "value");
    node.Start({kPeer});
    REQUIRE(PullAll(node)->entries == 500);
    const std::uint64_t sent = peer.sent;
    const std::uint64_t read = node.Stats().repair.data_bytes_read;
    const auto equal = LookAtAll(node);
    EXPECT(equal->status.ok());
    EXPECT(equal->differing.empty());
    for (int i = 0; i < 7; ++i) peer.Put(Key(i), "another");
    const auto done = LookAtAll(node);
    EXPECT(done->status.ok());
    EXPECT(done->entries == 0);
    std::uint64_t buckets = 0, entries_here = 0;
    for (const RangeDifference& range : done->differing) {
      EXPECT(range.keyspace == kDefault);
      EXPECT(range.first_bucket <= range.last_bucket);
      buckets += range.buckets;
      entries_here += range.entries_here;
    }
    EXPECT(buckets == 7);
    EXPECT(entries_here >= 7);
    EXPECT(peer.sent == sent);
    EXPECT(node.Stats().repair.data_bytes_read == read);
    EXPECT(node.Stats().repair.pulling.slices == 0);
  }
}

}  // namespace
}  // namespace starling::server
