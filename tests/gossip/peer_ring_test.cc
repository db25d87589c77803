// Goal:   everybody has a turn in each round, newcomers at a random place.
// Method: rounds counted by hand.
#include "gossip/peer_ring.h"

#include <map>
#include <set>
#include <vector>

#include "tests/test.h"

namespace starling::gossip {
namespace {

bool Anybody(Slot) { return true; }

TEST_SUITE("gossip/peer_ring") {
  TEST_CASE("a permutation has each place once, and keys differ") {
    for (const std::size_t slots : {1, 2, 5, 64, 1000}) {
      const Permutation one(7, slots), two(8, slots);
      EXPECT(one.size() >= slots);
      std::set<std::size_t> seen;
      bool differs = false;
      for (std::size_t at = 0; at < one.size(); ++at) {
        seen.insert(one.At(at));
        differs = differs || one.At(at) != two.At(at);
      }
      EXPECT(seen.size() == one.size());
      EXPECT(*seen.rbegin() == one.size() - 1);
      EXPECT((differs || slots == 1));
    }
  }

  TEST_CASE("each round visits each slot once") {
    base::Random random(1);
    PeerRing ring(PeerRing::AtEnd::kKeepOrder);
    for (int round = 0; round < 5; ++round) {
      std::set<Slot> seen;
      for (int turn = 0; turn < 20; ++turn) seen.insert(*ring.Next(random, 20, Anybody));
      EXPECT(seen.size() == 20);
    }
  }

  TEST_CASE("no slot waits more than 2N-1 turns") {
    base::Random random(2);
    PeerRing ring(PeerRing::AtEnd::kShuffle);
    std::map<Slot, int> last;
    for (int turn = 0; turn < 2000; ++turn) {
      const Slot slot = *ring.Next(random, 9, Anybody);
      if (last.contains(slot)) EXPECT(turn - last[slot] <= 17);
      last[slot] = turn;
    }
    EXPECT(last.size() == 9);
  }

  TEST_CASE("where the order is kept, any N turns in a row visit all") {
    base::Random random(6);
    PeerRing ring(PeerRing::AtEnd::kKeepOrder);
    std::vector<Slot> turns;
    for (int turn = 0; turn < 100; ++turn) turns.push_back(*ring.Next(random, 7, Anybody));
    for (auto at = turns.begin(); at + 7 != turns.end(); ++at)
      EXPECT(std::set(at, at + 7).size() == 7);
  }

  TEST_CASE("those not eligible are passed over, and nobody is nobody") {
    base::Random random(3);
    PeerRing ring(PeerRing::AtEnd::kShuffle);
    for (int turn = 0; turn < 20; ++turn)
      EXPECT(*ring.Next(random, 5, [](Slot slot) { return slot == 3; }) == 3);
    EXPECT(!ring.Next(random, 5, [](Slot) { return false; }));
    EXPECT(!ring.Next(random, 0, Anybody));
  }

  TEST_CASE("a newcomer in mid-round costs no other its turn, and is seen by all rounds") {
    base::Random random(4);
    int early = 0;
    for (int trial = 0; trial < 100; ++trial) {
      PeerRing ring(PeerRing::AtEnd::kKeepOrder);
      std::set<Slot> seen;
      const Slot first = *ring.Next(random, 6, Anybody);
      for (int turn = 0; turn < 5; ++turn) *ring.Next(random, 6, Anybody);
      seen.insert(*ring.Next(random, 7, Anybody));
      for (int turn = 0; turn < 6; ++turn) seen.insert(*ring.Next(random, 7, Anybody));
      EXPECT(seen.size() == 7);
      EXPECT(seen.contains(first));
      early += seen.contains(6) ? 1 : 0;
    }
    EXPECT(early == 100);
  }
}

}  // namespace
}  // namespace starling::gossip
