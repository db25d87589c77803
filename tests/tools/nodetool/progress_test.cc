// Goal:   whoever waits for a repair or a verification sees how far it is, and nothing where that
//         is not known.
// Method: answers to netstats, written out, against the line.
#include "tools/nodetool/progress.h"

#include "tests/test.h"

namespace starling::nodetool {
namespace {

TEST_SUITE("tools/nodetool/progress") {
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

  TEST_CASE("trees that are made anew, likewise") {
    EXPECT(MakeLine(R"({"trees":{"slices_to_make":256,"slices_made":64,"left_ms":3000}})") ==
           "making trees anew: 64 of 256 slices done, about 3.0 s left");
    EXPECT(MakeLine(R"({"trees":{"slices_to_make":0,"slices_made":0,"left_ms":0}})").empty());
    EXPECT(MakeLine(R"({"trees":null})").empty());
  }

  TEST_CASE("entries that are checked, of how many, and how long the rest takes") {
    EXPECT(VerifyLine(R"({"verification":{"running":true,"entries_to_check":4000,)"
                      R"("entries_checked":1000,"verifying_ms":2000,"left_ms":6000}})") ==
           "1000 of 4000 entries checked, about 6.0 s left");
    EXPECT(VerifyLine(R"({"verification":{"entries_to_check":4,"entries_checked":0,)"
                      R"("left_ms":null}})") == "0 of 4 entries checked");
  }

  TEST_CASE("nothing is verified, or its entries are not counted yet: nothing is said") {
    EXPECT(VerifyLine(R"({"verification":{"running":true,"entries_to_check":0}})").empty());
    EXPECT(VerifyLine(R"({"repair":{"slices_to_pull":256,"slices_pulled":56}})").empty());
    EXPECT(VerifyLine(R"({"verification":[]})").empty());
    EXPECT(VerifyLine("no JSON").empty());
  }
}

}  // namespace
}  // namespace starling::nodetool
