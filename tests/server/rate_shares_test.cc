// Goal:   one rate is kept to by all of its users together, shared evenly while several want it,
//         whatever the order in which they ask, and had by one alone while nobody else does.
// Method: users that always want more ask each millisecond of virtual time.
#include "server/rate_shares.h"

#include "tests/test.h"

namespace starling::server {
namespace {

constexpr std::uint64_t kSharedRate = 1'000'000;

struct RateUser {
  RateShare& share;
  std::uint64_t bytes_each;
  std::uint64_t had = 0;
  // As with the pages that a pull has under way: so many are asked for before one is counted.
  int at_once = 1;

  void Ask(base::Instant now) {
    for (int i = 0; i < at_once && share.Ready(now); ++i) ++open;
    for (; open > 0; --open) {
      share.Count(now, bytes_each);
      had += bytes_each;
    }
  }
  int open = 0;
};

base::Instant Moment(int ms) { return base::Instant{} + base::milliseconds(1000 + ms); }

TEST_SUITE("server/rate_shares") {
  TEST_CASE("alone, each has all of the rate") {
    RateShares shares(kSharedRate);
    RateUser one{shares.peers, 10'000};
    for (int ms = 0; ms < 10'000; ++ms) one.Ask(Moment(ms));
    EXPECT(one.had > 10 * kSharedRate - 20'000);
    EXPECT(one.had < 10 * kSharedRate + kSharedRate / 4);
    // What it had before is not held against it once another comes.
    RateUser other{shares.pulls, 10'000};
    for (int ms = 10'000; ms < 12'000; ++ms) {
      other.Ask(Moment(ms));
      one.Ask(Moment(ms));
    }
    EXPECT(one.had > 11 * kSharedRate - 40'000);
  }

  TEST_CASE("who asks first does not have all of it") {
    for (const bool pulls_first : {false, true})
      for (const std::uint64_t large : {10'000ULL, 400'000ULL}) {
        RateShares shares(kSharedRate);
        RateUser first{pulls_first ? shares.pulls : shares.peers, large};
        RateUser second{pulls_first ? shares.peers : shares.pulls, 10'000, 0, 8};
        for (int ms = 0; ms < 20'000; ++ms) {
          first.Ask(Moment(ms));
          second.Ask(Moment(ms));
        }
        EXPECT(first.had + second.had < 20 * kSharedRate + kSharedRate);
        EXPECT(first.had > 8 * kSharedRate);
        EXPECT(second.had > 8 * kSharedRate);
      }
  }

  TEST_CASE("who wants little has it at once, and no great credit later") {
    RateShares shares(kSharedRate);
    RateUser much{shares.pulls, 10'000, 0, 8};
    RateUser little{shares.peers, 1000};
    int late = 0;
    for (int ms = 0; ms < 60'000; ++ms) {
      much.Ask(Moment(ms));
      if (ms % 300 > 100) continue;  // Until it had its thousand bytes.
      const std::uint64_t had = little.had;
      if (had < static_cast<std::uint64_t>(ms / 300 + 1) * 1000) little.Ask(Moment(ms));
      if (ms % 300 == 100 && little.had < static_cast<std::uint64_t>(ms / 300 + 1) * 1000) ++late;
    }
    EXPECT(late == 0);
    EXPECT(much.had > 58 * kSharedRate);
    const std::uint64_t had = much.had;
    RateUser now_much{shares.peers, 10'000};
    for (int ms = 60'000; ms < 100'000; ++ms) {
      now_much.Ask(Moment(ms));
      much.Ask(Moment(ms));
    }
    EXPECT(much.had - had > 18 * kSharedRate);
  }

  TEST_CASE("who may go on and does not, since something else is in its way, holds nobody up") {
    RateShares shares(kSharedRate);
    RateUser one{shares.peers, 10'000};
    RateUser held{shares.pulls, 10'000};
    for (int ms = 0; ms < 10'000; ++ms) {
      if (ms > 1000)
        static_cast<void>(held.share.Ready(Moment(ms)));
      else
        held.Ask(Moment(ms));
      one.Ask(Moment(ms));
    }
    EXPECT(one.had > 9 * kSharedRate);
  }

  TEST_CASE("who stopped asking holds nobody up for long") {
    RateShares shares(kSharedRate);
    RateUser one{shares.peers, 10'000};
    RateUser gone{shares.pulls, 10'000};
    for (int ms = 0; ms < 1000; ++ms) {
      one.Ask(Moment(ms));
      gone.Ask(Moment(ms));
    }
    const std::uint64_t had = one.had;
    for (int ms = 1000; ms < 11'000; ++ms) one.Ask(Moment(ms));
    EXPECT(one.had - had > 9 * kSharedRate);
  }

  TEST_CASE("without a limit nobody waits") {
    RateShares shares(0);
    for (int i = 0; i < 10; ++i) {
      EXPECT(shares.pulls.Ready(Moment(0)));
      shares.pulls.Count(Moment(0), 1 << 30);
      EXPECT(shares.peers.Ready(Moment(0)));
    }
  }
}

}  // namespace
}  // namespace starling::server
