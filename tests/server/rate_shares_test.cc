// Goal:   one rate is kept to by all of its users together, shared evenly while several want it,
//         whatever the order in which they ask, and had by one alone while nobody else does.
// Method: users that always want more ask each millisecond of virtual time.
#include "server/rate_shares.h"

#include "tests/test.h"

namespace starling::server {
namespace {

constexpr std::uint64_t kRate = 1'000'000;

struct User {
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

base::Instant After(int ms) { return base::Instant{} + base::milliseconds(1000 + ms); }

TEST_SUITE("server/rate_shares") {
  TEST_CASE("alone, each has all of the rate") {
    RateShares shares(kRate);
    User one{shares.peers, 10'000};
    for (int ms = 0; ms < 10'000; ++ms) one.Ask(After(ms));
    EXPECT(one.had > 10 * kRate - 20'000);
    EXPECT(one.had < 10 * kRate + kRate / 4);
    // What it had before is not held against it once another comes.
    User other{shares.pulls, 10'000};
    for (int ms = 10'000; ms < 12'000; ++ms) {
      other.Ask(After(ms));
      one.Ask(After(ms));
    }
    EXPECT(one.had > 11 * kRate - 40'000);
  }

  TEST_CASE("who asks first does not have all of it") {
    for (const bool pulls_first : {false, true})
      for (const std::uint64_t large : {10'000ULL, 400'000ULL}) {
        RateShares shares(kRate);
        User first{pulls_first ? shares.pulls : shares.peers, large};
        User second{pulls_first ? shares.peers : shares.pulls, 10'000, 0, 8};
        for (int ms = 0; ms < 20'000; ++ms) {
          first.Ask(After(ms));
          second.Ask(After(ms));
        }
        EXPECT(first.had + second.had < 20 * kRate + kRate);
        EXPECT(first.had > 8 * kRate);
        EXPECT(second.had > 8 * kRate);
      }
  }

  TEST_CASE("who wants little has it at once, and no great credit later") {
    RateShares shares(kRate);
    User much{shares.pulls, 10'000, 0, 8};
    User little{shares.peers, 1000};
    int late = 0;
    for (int ms = 0; ms < 60'000; ++ms) {
      much.Ask(After(ms));
      if (ms % 300 > 100) continue;  // Until it had its thousand bytes.
      const std::uint64_t had = little.had;
      if (had < static_cast<std::uint64_t>(ms / 300 + 1) * 1000) little.Ask(After(ms));
      if (ms % 300 == 100 && little.had < static_cast<std::uint64_t>(ms / 300 + 1) * 1000) ++late;
    }
    EXPECT(late == 0);
    EXPECT(much.had > 58 * kRate);
    const std::uint64_t had = much.had;
    User now_much{shares.peers, 10'000};
    for (int ms = 60'000; ms < 100'000; ++ms) {
      now_much.Ask(After(ms));
      much.Ask(After(ms));
    }
    EXPECT(much.had - had > 10 * kRate);
  }

  TEST_CASE("who stopped asking holds nobody up for long") {
    RateShares shares(kRate);
    User one{shares.peers, 10'000};
    User gone{shares.pulls, 10'000};
    for (int ms = 0; ms < 1000; ++ms) {
      one.Ask(After(ms));
      gone.Ask(After(ms));
    }
    const std::uint64_t had = one.had;
    for (int ms = 1000; ms < 11'000; ++ms) one.Ask(After(ms));
    EXPECT(one.had - had > 9 * kRate);
  }

  TEST_CASE("without a limit nobody waits") {
    RateShares shares(0);
    for (int i = 0; i < 10; ++i) {
      EXPECT(shares.pulls.Ready(After(0)));
      shares.pulls.Count(After(0), 1 << 30);
      EXPECT(shares.peers.Ready(After(0)));
    }
  }
}

}  // namespace
}  // namespace starling::server
