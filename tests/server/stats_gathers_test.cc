// Goal:   who asks all workers hears once, when the last one has answered.
// Method: answers by hand, in all orders that matter.
#include "server/stats_gathers.h"

#include <vector>

#include "tests/test.h"

namespace starling::server {
namespace {

WorkerStats Open(std::uint64_t in_flight) {
  WorkerStats stats;
  stats.in_flight = in_flight;
  return stats;
}

TEST_SUITE("server/stats_gathers") {
  TEST_CASE("two gathers that are under way at once have each their own answers") {
    StatsGathers gathers;
    std::vector<std::uint64_t> first, second;
    const auto note_in = [](std::vector<std::uint64_t>& into) {
      return [&into](const std::vector<WorkerStats>& stats) {
        for (const WorkerStats& each : stats) into.push_back(each.in_flight);
      };
    };
    const std::uint64_t one = gathers.Begin(2, note_in(first));
    const std::uint64_t two = gathers.Begin(1, note_in(second));
    gathers.Take(one, Open(1));
    EXPECT(first.empty());
    gathers.Take(two, Open(3));
    EXPECT(second == std::vector<std::uint64_t>{3});
    gathers.Take(one, Open(2));
    EXPECT(first == std::vector<std::uint64_t>{1, 2});
  }

  TEST_CASE("an answer to what is over, or was never asked, changes nothing") {
    StatsGathers gathers;
    int heard = 0;
    const std::uint64_t serial =
        gathers.Begin(1, [&](const std::vector<WorkerStats>&) { ++heard; });
    gathers.Take(serial + 1, Open(1));
    EXPECT(heard == 0);
    gathers.Take(serial, Open(1));
    gathers.Take(serial, Open(1));
    EXPECT(heard == 1);
  }

  TEST_CASE("who was answered may ask again at once") {
    StatsGathers gathers;
    int heard = 0;
    std::uint64_t again = 0;
    const std::uint64_t serial = gathers.Begin(1, [&](const std::vector<WorkerStats>&) {
      again = gathers.Begin(1, [&](const std::vector<WorkerStats>&) { ++heard; });
    });
    gathers.Take(serial, Open(1));
    gathers.Take(again, Open(1));
    EXPECT(heard == 1);
  }
}

}  // namespace
}  // namespace starling::server
