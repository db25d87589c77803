// Goal:   what is due comes in the order of time, once.
// Method: by hand.
#include "gossip/deadlines.h"

#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

TEST_SUITE("gossip/deadlines") {
  TEST_CASE("keys come when due, earliest first, and only once") {
    Deadlines<int> deadlines;
    EXPECT(deadlines.earliest() == base::Instant::Never());
    deadlines.Set(1, At(30));
    deadlines.Set(2, At(10));
    EXPECT(deadlines.earliest() == At(10));
    EXPECT(!deadlines.TakeDue(At(9)));
    EXPECT(deadlines.TakeDue(At(40)) == 2);
    EXPECT(deadlines.TakeDue(At(40)) == 1);
    EXPECT(!deadlines.TakeDue(At(40)));
  }

  TEST_CASE("setting again replaces, clearing takes away, and all can be moved at once") {
    Deadlines<int> deadlines;
    deadlines.Set(1, At(10));
    deadlines.Set(1, At(50));
    EXPECT(deadlines.size() == 1);
    EXPECT(deadlines.earliest() == At(50));
    deadlines.Set(2, At(20));
    deadlines.SetAll(At(90));
    EXPECT(deadlines.earliest() == At(90));
    deadlines.Clear(1);
    deadlines.Clear(7);
    EXPECT(deadlines.TakeDue(At(90)) == 2);
    EXPECT(deadlines.size() == 0);
  }
}

}  // namespace
}  // namespace starling::gossip
