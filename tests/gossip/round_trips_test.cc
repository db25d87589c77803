// Goal:   operators see how soon a member answers and by which way, within bounded memory.
// Method: answers by hand, against exact figures where the formula is exact.
#include "gossip/round_trips.h"

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

constexpr base::HostId kPeer{0, 2};

TEST_SUITE("gossip/round_trips") {
  TEST_CASE("a member that never answered has no figures") {
    RoundTrips trips;
    EXPECT(!trips.Of(kPeer).has_value());
    EXPECT(!trips.StreamOnly(kPeer));
  }

  TEST_CASE("last and mean are of the answers to first pings; later ones count as late") {
    RoundTrips trips;
    trips.Answered(At(0), kPeer, base::microseconds(800));
    trips.Answered(At(1), kPeer, base::microseconds(1600));
    trips.AnsweredLate(At(2), kPeer);
    const RoundTrip trip = trips.Of(kPeer).value();
    EXPECT(trip.last == base::microseconds(1600));
    EXPECT(trip.mean == base::microseconds(900));
    EXPECT(trip.samples == 2);
    EXPECT(trip.late == 1);
    EXPECT(trip.answered == At(2));
  }

  TEST_CASE("p99 is at least the true one, and at most a quarter above it") {
    base::Random random(3);
    for (const std::int64_t scale : {20, 300, 5000, 200'000}) {
      RoundTrips trips;
      std::vector<std::int64_t> all;
      for (int i = 0; i < 200; ++i) {  // Fewer than are halved.
        all.push_back(random.Between(scale, 3 * scale));
        trips.Answered(At(i), kPeer, base::microseconds(all.back()));
      }
      std::ranges::sort(all);
      const std::int64_t truth = all[197];  // Two of 200 are above it.
      const std::int64_t p99 = trips.Of(kPeer)->p99 / base::microseconds(1);
      EXPECT(p99 >= truth);
      EXPECT(p99 * 4 <= truth * 5);
    }
  }

  TEST_CASE("times beyond both ends are counted at the ends") {
    RoundTrips trips;
    trips.Answered(At(0), kPeer, base::Duration(0));
    EXPECT(trips.Of(kPeer)->p99 < base::microseconds(16));
    trips.Answered(At(0), kPeer, std::chrono::hours(2));
    EXPECT(trips.Of(kPeer)->p99 >= base::seconds(8));
  }

  TEST_CASE("old answers fade, so that p99 follows a way that became faster") {
    RoundTrips trips;
    for (int i = 0; i < 300; ++i) trips.Answered(At(i), kPeer, base::milliseconds(80));
    for (int i = 0; i < 3000; ++i) trips.Answered(At(i), kPeer, base::milliseconds(1));
    EXPECT(trips.Of(kPeer)->p99 < base::milliseconds(2));
  }

  TEST_CASE("three answers by stream in a row, while datagrams are silent: by stream only") {
    RoundTrips trips;
    for (int i = 0; i < 3; ++i) {
      EXPECT(!trips.StreamOnly(kPeer));
      trips.AnsweredByStream(At(i), kPeer);
    }
    EXPECT(trips.StreamOnly(kPeer));
    trips.AnsweredByStream(At(4), kPeer);  // And it stays so.
    EXPECT(trips.Of(kPeer)->stream_only);
    EXPECT(trips.stream_only() == 1);
  }

  TEST_CASE("a datagram's answer ends it, however late it was") {
    RoundTrips trips;
    for (int i = 0; i < 300; ++i) trips.AnsweredByStream(At(i), kPeer);
    SUBCASE("late") { trips.AnsweredLate(At(301), kPeer); }
    SUBCASE("in time") { trips.Answered(At(301), kPeer, base::microseconds(300)); }
    EXPECT(!trips.StreamOnly(kPeer));
    EXPECT(trips.stream_only() == 0);
  }

  TEST_CASE("beyond its limit who was heard longest ago makes way") {
    RoundTrips trips;
    for (std::uint64_t host = 1; host <= RoundTrips::kMembersMax; ++host)
      trips.Answered(At(static_cast<std::int64_t>(host)), {0, host}, base::microseconds(100));
    trips.Answered(At(1000), {0, 1}, base::microseconds(100));
    trips.Answered(At(1001), {0, 9999}, base::microseconds(100));
    EXPECT(trips.Of({0, 1}).has_value());
    EXPECT(!trips.Of({0, 2}).has_value());
    EXPECT(trips.Of({0, 9999}).has_value());
  }
}

}  // namespace
}  // namespace starling::gossip
