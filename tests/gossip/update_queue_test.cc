// Goal:   news goes out often enough, newest first, and never piles up.
// Method: the formula by table, the queue by hand.
#include "gossip/update_queue.h"

#include <map>
#include <vector>

#include "tests/test.h"

namespace starling::gossip {
namespace {

using Subject = UpdateQueue::Subject;

// What one packet to `target`, with room for `room` subjects, takes.
std::vector<Subject> PacketTo(UpdateQueue& queue, const UpdateQueue::Audience& audience,
                              std::size_t room) {
  std::vector<Subject> taken;
  queue.SendTo(audience, [&](Subject subject) {
    if (taken.size() == room) return false;
    taken.push_back(subject);
    return true;
  });
  return taken;
}

// The same where nobody else is there to be told, so that four transmissions are the limit.
std::vector<Subject> Packet(UpdateQueue& queue, std::size_t room) {
  return PacketTo(queue, {.target = 1000, .others = 1}, room);
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
    queue.Push(1);
    for (int i = 0; i < 4; ++i) EXPECT(Packet(queue, 5).size() == 1);
    EXPECT(queue.empty());
    EXPECT(Packet(queue, 5).empty());
  }

  TEST_CASE("a subject waits once, however often there is news of it, and then starts again") {
    UpdateQueue queue;
    for (int i = 0; i < 1000; ++i) queue.Push(1);
    EXPECT(queue.size() == 1);
    EXPECT(Packet(queue, 5).size() == 1);
    EXPECT(Packet(queue, 5).size() == 1);
    queue.Push(1);
    for (int i = 0; i < 4; ++i) EXPECT(Packet(queue, 5).size() == 1);
    EXPECT(queue.empty());
  }

  // As in a cluster where members come and go faster than packets can tell: no packet has room for
  // what was sent before.
  TEST_CASE("F14: where more is news than packets take, what is held for it does not grow") {
    constexpr Subject kSubjects = 100;
    UpdateQueue queue;
    for (Subject turn = 0; turn < 10'000; ++turn) {
      queue.Push(turn % kSubjects);
      queue.Push((turn + kSubjects / 2) % kSubjects);
      PacketTo(queue, {.target = 1000, .others = 1000}, 1);
      EXPECT(queue.size() <= kSubjects);
      EXPECT(queue.slots() <= UpdateQueue::SlotsMax(queue.size()));
    }
    // And what many left is given back, though one goes on waiting.
    for (Subject subject = 1; subject < kSubjects; ++subject) queue.Remove(subject);
    EXPECT(queue.size() == 1);
    EXPECT(queue.slots() <= UpdateQueue::SlotsMax(1));
  }

  TEST_CASE("what was sent least goes first; a refutation of our own before all") {
    UpdateQueue queue;
    queue.Push(1);
    Packet(queue, 1);
    queue.Push(2);
    queue.Push(3);
    EXPECT(Packet(queue, 2) == std::vector<Subject>{2, 3});
    queue.Push(4);
    queue.PushFirst(9);
    EXPECT(Packet(queue, 2) == std::vector<Subject>{9, 4});
  }

  TEST_CASE("a packet holds no subject twice") {
    UpdateQueue queue;
    queue.Push(1);
    queue.Push(2);
    EXPECT(Packet(queue, 100).size() == 2);
  }

  TEST_CASE("a ride along does not count") {
    UpdateQueue queue;
    queue.Push(1);
    std::size_t rides = 0;
    for (int i = 0; i < 50; ++i) queue.RideAlong([&](Subject) { return ++rides > 0; });
    EXPECT(rides == 50);
    for (int i = 0; i < 4; ++i) EXPECT(Packet(queue, 1).size() == 1);
    EXPECT(queue.empty());
  }

  TEST_CASE("a subject that does not fit stays, and a smaller one goes before it") {
    UpdateQueue queue;
    queue.Push(1);
    queue.Push(2);
    std::vector<Subject> taken;
    queue.SendTo({.target = 1000, .others = 1}, [&](Subject subject) {
      if (subject == 1) return false;
      taken.push_back(subject);
      return true;
    });
    EXPECT(taken == std::vector<Subject>{2});
    EXPECT(queue.size() == 2);
  }

  TEST_CASE("of up to 32 others nobody is told twice before all were told once") {
    for (const std::size_t others : {1, 3, 4, 5, 31, 32}) {
      UpdateQueue queue;
      queue.Push(1);
      std::map<Subject, int> told;
      for (Subject turn = 0; !queue.empty() && turn < 1000; ++turn) {
        // Each has two turns in a row.
        const auto target = static_cast<Subject>(1000 + turn / 2 % others);
        told[target] += static_cast<int>(PacketTo(queue, {target, others}, 5).size());
        if (told[target] > 1) EXPECT(told.size() == others);
      }
      EXPECT(queue.empty());
      EXPECT(told.size() == others);
    }
  }

  TEST_CASE("of more than 32 others whoever comes is told, and 32 transmissions end it") {
    UpdateQueue queue;
    queue.Push(1);
    int sent = 0;
    while (!PacketTo(queue, {1000, 33}, 5).empty()) ++sent;
    EXPECT(sent == 32);
    EXPECT(queue.empty());
  }

  TEST_CASE("who is gone is not waited for, and is told when it comes back") {
    UpdateQueue queue;
    queue.Push(1);
    const auto tell = [&](Subject target, std::size_t others) {
      return PacketTo(queue, {target, others}, 5).size();
    };
    for (const Subject target : {11, 12, 13, 14}) EXPECT(tell(target, 6) == 1);
    EXPECT(tell(11, 6) == 0);
    queue.ForgetTarget(11);
    SUBCASE("it stays away") {
      EXPECT(tell(15, 5) == 1);
      EXPECT(queue.size() == 1);  // Number 16 was not told.
      EXPECT(tell(16, 5) == 1);
    }
    SUBCASE("it comes back") {
      EXPECT(tell(11, 6) == 1);
      EXPECT(tell(15, 6) == 1);
      EXPECT(tell(16, 6) == 1);
    }
    EXPECT(queue.empty());
  }

  TEST_CASE("a subject whose number was another's starts without that one's listeners") {
    UpdateQueue queue;
    queue.Push(1);
    EXPECT(PacketTo(queue, {.target = 11, .others = 6}, 5).size() == 1);
    queue.Remove(1);
    queue.Push(1);
    EXPECT(PacketTo(queue, {.target = 11, .others = 6}, 5).size() == 1);
  }

  TEST_CASE("of a subject that was removed and is news again there is one turn, not two") {
    UpdateQueue queue;
    queue.Push(2);
    queue.Push(1);
    queue.Remove(1);
    queue.Push(1);
    EXPECT(Packet(queue, 5) == std::vector<Subject>{2, 1});
    for (int i = 0; i < 3; ++i) EXPECT(Packet(queue, 5).size() == 2);
    EXPECT(queue.empty());
  }

  TEST_CASE("a removed subject is not sent") {
    UpdateQueue queue;
    queue.Push(1);
    queue.Remove(1);
    EXPECT(queue.empty());
    EXPECT(Packet(queue, 5).empty());
  }
}

}  // namespace
}  // namespace starling::gossip
