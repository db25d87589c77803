// Goal:   10,000 members cost a node under 2 MB beyond their metadata.
// Method: the heap in use before and after one core has heard of them, counted by malloc itself.
#include <malloc.h>

#include <algorithm>
#include <memory>

#include "gossip/update_queue.h"
#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

constexpr std::uint64_t kMembers = 10'000;
constexpr std::size_t kMetadataBytes = 24;

// 0 under sanitizers, which have a heap of their own.
std::size_t HeapBytes() {
  const struct mallinfo2 heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

// As after a restart: known, and nothing to tell of them.
std::unique_ptr<Gossip> Knowing(std::uint64_t members) {
  auto core = std::make_unique<Gossip>(GossipOptions{},
                                       Self{.host = Host(1),
                                            .generation = 1,
                                            .address = AddressOf(1),
                                            .cluster_name = kCluster,
                                            .metadata = {}},
                                       7, At(0));
  const std::string metadata(kMetadataBytes, 'm');
  for (std::uint64_t number = 2; number < 2 + members; ++number) {
    const Claim claim{
        .host = Host(number), .generation = 1, .address = AddressOf(number), .metadata = metadata};
    core->Restore(At(0), std::span(&claim, 1));
  }
  core->outputs() = {};
  return core;
}

TEST_SUITE("gossip/memory") {
  TEST_CASE("10,000 members cost a node under 2 MB beyond their metadata") {
    const std::size_t before = HeapBytes();
    const std::unique_ptr<Gossip> core = Knowing(kMembers);
    const std::size_t used = HeapBytes() - before;
    REQUIRE(core->size() == kMembers);
    if (before == 0) return;
    DOCTEST_INFO("bytes: ", used);
    EXPECT(used < 2'000'000 + kMembers * kMetadataBytes);
    EXPECT(used > kMembers * kMetadataBytes);  // Else this measures nothing.
  }

  TEST_CASE("F20: 16 MB of the smallest rumors or claims take little room, and none afterwards") {
    constexpr std::size_t kBytes = 16'000'000;
    constexpr std::size_t kPeakMax = 8'000'000;
    const std::size_t before = HeapBytes();
    if (before == 0) return;
    Hand hand;
    hand.Knows({2});
    std::vector<std::string> bombs;
    for (const bool rumors : {false, true}) {
      std::string bytes = Say(2, Push{});
      const std::string item = rumors ? Say(2, Push{}, {}, {{.key = "k"}}).substr(bytes.size())
                                      : Say(2, Push{}, {ClaimBy(3)}).substr(bytes.size());
      // Both the most that is taken, and far more.
      std::string fitting = bytes;
      for (std::size_t i = 0; i < 4096; ++i) fitting += item;
      bombs.push_back(fitting);
      while (bytes.size() < kBytes) bytes += item;
      bombs.push_back(bytes);
    }
    for (const std::string& bomb : bombs) {
      const std::size_t at_rest = HeapBytes();
      (void)hand.core->OnStreamRequest(At(1), bomb);
      hand.core->OnStreamReply(At(1), bomb);
      hand.core->outputs() = {};
      EXPECT(HeapBytes() < at_rest + 200'000);
      Message message;
      (void)Decode(bomb.substr(5), GossipOptions{}, message);
      EXPECT(HeapBytes() < at_rest + kPeakMax);
    }
    EXPECT(hand.core->counters().rejected >= 4);
  }

  TEST_CASE("news of 10,000 members at once costs 64 bytes each at most, and 16 once told") {
    const std::size_t before = HeapBytes();
    if (before == 0) return;
    UpdateQueue queue;
    std::size_t peak = 0;
    for (UpdateQueue::Subject subject = 1; subject <= kMembers; ++subject) queue.Push(subject);
    for (std::size_t packet = 0; !queue.empty() && packet < 40'000; ++packet) {
      std::size_t room = 10;
      queue.SendTo({.target = 0, .others = kMembers},
                   [&](UpdateQueue::Subject) { return room-- > 0; });
      peak = std::max(peak, HeapBytes() - before);
    }
    EXPECT(queue.empty());
    DOCTEST_INFO("bytes: ", peak);
    EXPECT(peak < 64 * kMembers);
    EXPECT(peak > 12 * kMembers);  // Else this measures nothing.
    EXPECT(HeapBytes() - before < 16 * kMembers);
  }
}

}  // namespace
}  // namespace starling::gossip
