// Goal:   a node loses interest after k contacts in a row that knew.
// Method: by hand; the resulting spread is in rumor_sim_test.cc.
#include "gossip/hot_rumor.h"

#include "tests/test.h"

namespace starling::gossip {
namespace {

constexpr auto kUseful = HotRumor::Contact::kUseful;
constexpr auto kUnnecessary = HotRumor::Contact::kUnnecessary;

TEST_SUITE("gossip/hot_rumor") {
  TEST_CASE("k unnecessary contacts end it") {
    HotRumor rumor(2);
    rumor.Had(kUnnecessary);
    EXPECT(rumor.hot());
    rumor.Had(kUnnecessary);
    EXPECT(!rumor.hot());
    rumor.Had(kUnnecessary);
    EXPECT(!rumor.hot());
  }

  TEST_CASE("a useful contact starts the count again") {
    HotRumor rumor(2);
    rumor.Had(kUnnecessary);
    rumor.Had(kUseful);
    rumor.Had(kUnnecessary);
    EXPECT(rumor.hot());
  }
}

}  // namespace
}  // namespace starling::gossip
