// Goal:   few pages are with the lane at a time, in order; what nobody waits for is never read.
// Method: works that note what happens to them; the test plays the lane.
#include "server/page_lane.h"

#include <string>

#include "tests/client/fake_world.h"
#include "tests/test.h"

namespace starling::server {
namespace {

struct Noted {
  std::string ran, taken, dropped;
  std::string unwanted;  // The names of those that nobody waits for.
};

class NotingWork final : public PageWork {
 public:
  // Capital letters are of repair, and read 1,000 bytes.
  NotingWork(Noted& noted, char name) : noted_(noted), name_(name) {}
  void Run() noexcept override { noted_.ran += name_; }

 private:
  bool Wanted() const override { return noted_.unwanted.find(name_) == std::string::npos; }
  void Take() override { noted_.taken += name_; }
  void Drop() override { noted_.dropped += name_; }
  bool paced() const override { return name_ < 'a'; }
  std::uint64_t bytes_read() const override { return 1000; }

  Noted& noted_;
  const char name_;
};

TEST_SUITE("server/page_lane") {
  TEST_CASE("two are with the lane, the others wait, and all are read in order") {
    client::FakeWorld world;
    RateShares rate(0);
    PageLane lane(world, rate.peers);
    Noted noted;
    for (const char name : {'a', 'b', 'c', 'd'})
      REQUIRE(lane.Add(std::make_unique<NotingWork>(noted, name)));
    EXPECT(world.jobs().size() == 2);
    while (!world.jobs().empty()) {
      EXPECT(world.jobs().size() <= 2);
      world.RunOldestJob();
    }
    EXPECT(noted.ran == "abcd");
    EXPECT(noted.taken == "abcd");
    EXPECT(lane.dropped() == 0);
  }

  TEST_CASE("what nobody waits for by its turn is dropped, counted, and not read") {
    client::FakeWorld world;
    RateShares rate(0);
    PageLane lane(world, rate.peers);
    Noted noted;
    for (const char name : {'a', 'b', 'c', 'd', 'e'})
      REQUIRE(lane.Add(std::make_unique<NotingWork>(noted, name)));
    noted.unwanted = "acd";  // The first is with the lane already.
    while (!world.jobs().empty()) world.RunOldestJob();
    EXPECT(noted.ran == "abe");
    EXPECT(noted.taken == "abe");
    EXPECT(noted.dropped == "cd");
    EXPECT(lane.dropped() == 2);
  }

  TEST_CASE("one more than may wait is refused, and there is room again once one was read") {
    client::FakeWorld world;
    RateShares rate(0);
    PageLane lane(world, rate.peers);
    Noted noted;
    int added = 0;
    while (added < 10'000 && lane.Add(std::make_unique<NotingWork>(noted, 'x'))) ++added;
    EXPECT(added == 4096 + 2);
    world.RunOldestJob();
    EXPECT(lane.Add(std::make_unique<NotingWork>(noted, 'y')));
    EXPECT(!lane.Add(std::make_unique<NotingWork>(noted, 'z')));
    EXPECT(noted.dropped.empty());
  }

  TEST_CASE("repair's are read at their rate, and others before them at once") {
    client::FakeWorld world;
    RateShares rate(1000);  // One a second.
    PageLane lane(world, rate.peers);
    Noted noted;
    for (const char name : {'A', 'B', 'C', 'D', 'E'})
      REQUIRE(lane.Add(std::make_unique<NotingWork>(noted, name)));
    while (!world.jobs().empty()) world.RunOldestJob();
    EXPECT(noted.taken == "AB");  // Two at a time, that count once they were read.
    REQUIRE(lane.Add(std::make_unique<NotingWork>(noted, 's')));
    while (!world.jobs().empty()) world.RunOldestJob();
    EXPECT(noted.taken == "ABs");
    noted.unwanted = "C";
    lane.HandOver();
    EXPECT(noted.dropped == "C");  // It need not wait to be told so.
    EXPECT(world.jobs().empty());
    world.Advance(base::seconds(2));
    lane.HandOver();
    while (!world.jobs().empty()) world.RunOldestJob();
    EXPECT(noted.taken == "ABsDE");
  }
}

}  // namespace
}  // namespace starling::server
