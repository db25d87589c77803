// Goal:   everybody has a turn in each round, newcomers at a random place.
// Method: rounds counted by hand.
#include "gossip/peer_ring.h"

#include <map>
#include <set>

#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

bool Anybody(base::HostId) { return true; }

PeerRing RingOf(std::uint64_t size, base::Random& random,
                PeerRing::AtEnd at_end = PeerRing::AtEnd::kShuffle) {
  PeerRing ring(at_end);
  for (std::uint64_t host = 1; host <= size; ++host) ring.Insert(Host(host), random);
  return ring;
}

TEST_SUITE("gossip/peer_ring") {
  TEST_CASE("each round visits each host once") {
    base::Random random(1);
    PeerRing ring = RingOf(20, random);
    for (int round = 0; round < 5; ++round) {
      std::set<base::HostId> seen;
      for (int turn = 0; turn < 20; ++turn) seen.insert(*ring.Next(random, Anybody));
      EXPECT(seen.size() == 20);
    }
  }

  TEST_CASE("no host waits more than 2N-1 turns") {
    base::Random random(2);
    PeerRing ring = RingOf(9, random);
    std::map<base::HostId, int> last;
    for (int turn = 0; turn < 2000; ++turn) {
      const base::HostId host = *ring.Next(random, Anybody);
      if (last.contains(host)) EXPECT(turn - last[host] <= 17);
      last[host] = turn;
    }
  }

  TEST_CASE("where the order is kept, any N turns in a row visit all") {
    base::Random random(6);
    PeerRing ring = RingOf(7, random, PeerRing::AtEnd::kKeepOrder);
    std::vector<base::HostId> turns;
    for (int turn = 0; turn < 100; ++turn) turns.push_back(*ring.Next(random, Anybody));
    for (auto at = turns.begin(); at + 7 != turns.end(); ++at)
      EXPECT(std::set(at, at + 7).size() == 7);
  }

  TEST_CASE("those not eligible are passed over, and nobody is nobody") {
    base::Random random(3);
    PeerRing ring = RingOf(5, random);
    for (int turn = 0; turn < 20; ++turn)
      EXPECT(*ring.Next(random, [](base::HostId host) { return host == Host(3); }) == Host(3));
    EXPECT(!ring.Next(random, [](base::HostId) { return false; }));
    PeerRing empty(PeerRing::AtEnd::kShuffle);
    EXPECT(!empty.Next(random, Anybody));
  }

  TEST_CASE("a newcomer in mid-round costs no other its turn") {
    base::Random random(4);
    for (int trial = 0; trial < 100; ++trial) {
      PeerRing ring = RingOf(6, random);
      std::set<base::HostId> seen;
      for (int turn = 0; turn < 3; ++turn) seen.insert(*ring.Next(random, Anybody));
      ring.Insert(Host(100), random);
      for (int turn = 0; turn < 4; ++turn) seen.insert(*ring.Next(random, Anybody));
      seen.erase(Host(100));
      EXPECT(seen.size() == 6);
    }
  }

  TEST_CASE("who is removed has no further turn, and the others keep theirs") {
    base::Random random(5);
    PeerRing ring = RingOf(6, random);
    const base::HostId first = *ring.Next(random, Anybody);
    ring.Remove(first);
    std::set<base::HostId> seen;
    for (int turn = 0; turn < 5; ++turn) seen.insert(*ring.Next(random, Anybody));
    EXPECT(seen.size() == 5);
    EXPECT(!seen.contains(first));
    ring.Remove(first);
    EXPECT(ring.size() == 5);
  }
}

}  // namespace
}  // namespace starling::gossip
