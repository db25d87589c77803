// Goal:   a member that falls silent now and then is used as soon as it is back, one that does so
//         all the time only after it has stayed.
// Method: falls and returns by hand.
#include "server/flap_guard.h"

#include "tests/test.h"

namespace starling::server {
namespace {

constexpr base::HostId kMember{0, 1}, kOther{0, 2};

base::Instant AtSecond(std::int64_t seconds) { return {base::seconds(seconds)}; }

// Falls at `seconds`, and is back a second later.
void Fall(FlapGuard& guard, std::int64_t seconds) {
  guard.Note(AtSecond(seconds), kMember, false);
  guard.Note(AtSecond(seconds + 1), kMember, true);
}

TEST_SUITE("server/flap_guard") {
  TEST_CASE("the first two falls hold nobody") {
    FlapGuard guard;
    for (const std::int64_t at : {100, 110}) {
      Fall(guard, at);
      EXPECT(!guard.Holds(AtSecond(at + 1), kMember));
    }
  }

  TEST_CASE("from the third on it has to stay for a while, twice as long each time, to a limit") {
    FlapGuard guard;
    for (const std::int64_t at : {100, 110}) Fall(guard, at);
    std::int64_t at = 120;
    for (const std::int64_t hold : {2, 4, 8, 16, 16, 16}) {
      Fall(guard, at);
      EXPECT(guard.Holds(AtSecond(at + hold), kMember));
      EXPECT(!guard.Holds(AtSecond(at + 1 + hold), kMember));
      EXPECT(!guard.Holds(AtSecond(at + 1), kOther));
      at += 30;
    }
  }

  TEST_CASE("a minute without a fall is forgiven") {
    FlapGuard guard;
    for (const std::int64_t at : {100, 110, 120, 180}) Fall(guard, at);
    EXPECT(!guard.Holds(AtSecond(181), kMember));
  }

  TEST_CASE("who is silent is not held: it is not reachable at all") {
    FlapGuard guard;
    for (const std::int64_t at : {100, 110, 120}) Fall(guard, at);
    EXPECT(guard.Holds(AtSecond(121), kMember));
    guard.Note(AtSecond(121), kMember, false);
    EXPECT(!guard.Holds(AtSecond(121), kMember));
  }

  TEST_CASE("to hear the same again changes nothing") {
    FlapGuard guard;
    for (int i = 0; i < 10; ++i) guard.Note(AtSecond(100 + i), kMember, false);
    guard.Note(AtSecond(111), kMember, true);
    EXPECT(!guard.Holds(AtSecond(111), kMember));
  }
}

}  // namespace
}  // namespace starling::server
