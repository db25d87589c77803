// Goal:   what speaks against this node makes it slower to accuse, within limits.
// Method: the value by hand.
#include "gossip/local_health.h"

#include "tests/test.h"

namespace starling::gossip {
namespace {

TEST_SUITE("gossip/local_health") {
  TEST_CASE("timeouts grow with the score and come back, and the score has two ends") {
    LocalHealth health(Mode::kLifeguard);
    EXPECT(health.Scale(base::seconds(1)) == base::seconds(1));
    health.Better();
    health.Worse();
    EXPECT(health.Scale(base::seconds(1)) == base::seconds(2));
    health.Worse(100);
    EXPECT(health.score() == LocalHealth::kScoreMax);
    EXPECT(health.Scale(base::seconds(1)) == base::seconds(8));
    health.Better();
    EXPECT(health.score() == LocalHealth::kScoreMax - 1);
  }

  TEST_CASE("plain SWIM does not doubt itself") {
    LocalHealth health(Mode::kSwim);
    health.Worse(3);
    EXPECT(health.score() == 0);
  }
}

}  // namespace
}  // namespace starling::gossip
