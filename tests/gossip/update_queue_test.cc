// Goal:   news goes out often enough, newest first, and never piles up.
// Method: the formula by table, the queue by hand.
#include "gossip/update_queue.h"

#include <vector>

#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

// What one packet with room for `room` subjects takes.
std::vector<base::HostId> Packet(UpdateQueue& queue, std::size_t room, std::size_t limit) {
  std::vector<base::HostId> taken;
  queue.SendTo(limit, [&](base::HostId subject) {
    if (taken.size() == room) return false;
    taken.push_back(subject);
    return true;
  });
  return taken;
}

TEST_SUITE("gossip/update_queue") {
  TEST_CASE("the limit is N-1 in a small cluster and 4 a decade in a large one") {
    struct Row {
      std::size_t members, limit;
    };
    for (const auto& [members, limit] : std::vector<Row>{{0, 4},
                                                         {1, 4},
                                                         {2, 4},
                                                         {3, 4},
                                                         {7, 6},
                                                         {9, 8},
                                                         {10, 9},
                                                         {20, 19},
                                                         {33, 32},
                                                         {100, 32},
                                                         {1000, 32},
                                                         {100000000, 36}}) {
      EXPECT(RetransmitLimit(members) == limit);
    }
  }

  TEST_CASE("a subject is sent up to its limit and no further") {
    UpdateQueue queue;
    queue.Push(Host(1));
    for (int i = 0; i < 4; ++i) EXPECT(Packet(queue, 5, 4).size() == 1);
    EXPECT(queue.empty());
    EXPECT(Packet(queue, 5, 4).empty());
  }

  TEST_CASE("a subject waits once, however often there is news of it, and then starts again") {
    UpdateQueue queue;
    for (int i = 0; i < 1000; ++i) queue.Push(Host(1));
    EXPECT(queue.size() == 1);
    EXPECT(Packet(queue, 5, 3).size() == 1);
    EXPECT(Packet(queue, 5, 3).size() == 1);
    queue.Push(Host(1));
    for (int i = 0; i < 3; ++i) EXPECT(Packet(queue, 5, 3).size() == 1);
    EXPECT(queue.empty());
  }

  TEST_CASE("what was sent least goes first; a refutation of our own before all") {
    UpdateQueue queue;
    queue.Push(Host(1));
    Packet(queue, 1, 9);
    queue.Push(Host(2));
    queue.Push(Host(3));
    EXPECT(Packet(queue, 2, 9) == std::vector{Host(2), Host(3)});
    queue.Push(Host(4));
    queue.PushFirst(Host(9));
    EXPECT(Packet(queue, 2, 9) == std::vector{Host(9), Host(4)});
  }

  TEST_CASE("a packet holds no subject twice") {
    UpdateQueue queue;
    queue.Push(Host(1));
    queue.Push(Host(2));
    EXPECT(Packet(queue, 100, 9).size() == 2);
  }

  TEST_CASE("a ride along does not count") {
    UpdateQueue queue;
    queue.Push(Host(1));
    std::size_t rides = 0;
    for (int i = 0; i < 50; ++i) queue.RideAlong([&](base::HostId) { return ++rides > 0; });
    EXPECT(rides == 50);
    EXPECT(Packet(queue, 1, 1).size() == 1);
    EXPECT(queue.empty());
  }

  TEST_CASE("a subject that does not fit stays, and a smaller one goes before it") {
    UpdateQueue queue;
    queue.Push(Host(1));
    queue.Push(Host(2));
    std::vector<base::HostId> taken;
    queue.SendTo(1, [&](base::HostId subject) {
      if (subject == Host(1)) return false;
      taken.push_back(subject);
      return true;
    });
    EXPECT(taken == std::vector{Host(2)});
    EXPECT(queue.size() == 1);
  }

  TEST_CASE("a removed subject is not sent") {
    UpdateQueue queue;
    queue.Push(Host(1));
    queue.Remove(Host(1));
    EXPECT(queue.empty());
    EXPECT(Packet(queue, 5, 4).empty());
  }
}

}  // namespace
}  // namespace starling::gossip
