// Goal:   whoever waits for a repair sees how far it is, and nothing where nothing is known.
// Method: answers to netstats, written out, against the line.
#include "tools/nodetool/repair_progress.h"

#include "tests/test.h"

namespace starling::nodetool {
namespace {

TEST_SUITE("tools/nodetool/repair_progress") {
  TEST_CASE("slices that are done, of how many, and how long the rest takes") {
    EXPECT(PullLine(R"({"repair":{"slices_to_pull":256,"slices_pulled":56,"left_ms":12861}})") ==
           "pulling: 56 of 256 slices done, about 12.9 s left");
  }

  TEST_CASE("too early to say: without an estimate") {
    EXPECT(PullLine(R"({"repair":{"slices_to_pull":3,"slices_pulled":0,"left_ms":null}})") ==
           "pulling: 0 of 3 slices done");
  }

  TEST_CASE("nothing to pull, or an answer of another form: nothing is said") {
    EXPECT(PullLine(R"({"repair":{"slices_to_pull":0,"slices_pulled":0,"left_ms":0}})").empty());
    EXPECT(PullLine(R"({"repair":{"slices_to_pull":"many"}})").empty());
    EXPECT(PullLine(R"({"repair":7})").empty());
    EXPECT(PullLine(R"([1])").empty());
    EXPECT(PullLine("no JSON").empty());
  }
}

}  // namespace
}  // namespace starling::nodetool
