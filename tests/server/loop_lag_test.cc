// Goal:   a stall is seen for as long as somebody may ask for it, and then forgotten.
// Method: by hand.
#include "server/loop_lag.h"

#include "tests/test.h"

namespace starling::server {
namespace {

base::Instant At(std::int64_t seconds) { return {base::seconds(seconds)}; }

TEST_SUITE("server/loop_lag") {
  TEST_CASE("the worst of a window counts until the end of the next one") {
    LoopLag lag;
    EXPECT(lag.worst() == base::Duration(0));
    lag.Note(At(100), base::milliseconds(3));
    lag.Note(At(101), base::milliseconds(700));
    lag.Note(At(102), base::milliseconds(2));
    EXPECT(lag.worst() == base::milliseconds(700));
    lag.Note(At(110), base::milliseconds(5));  // A window begins.
    EXPECT(lag.worst() == base::milliseconds(700));
    lag.Note(At(119), base::milliseconds(4));
    EXPECT(lag.worst() == base::milliseconds(700));
    lag.Note(At(120), base::milliseconds(1));
    EXPECT(lag.worst() == base::milliseconds(5));
  }
}

}  // namespace
}  // namespace starling::server
