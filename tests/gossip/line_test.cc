// Goal:   a line is a queue, and keeps the room of a few but not that of a crowd.
// Method: many pass through it, at once and one after the other.
#include "gossip/line.h"

#include <vector>

#include "tests/test.h"

namespace starling::gossip {
namespace {

TEST_SUITE("gossip/line") {
  TEST_CASE("first in, first out; the last may go to the front") {
    Line<int> line;
    for (int i = 0; i < 5; ++i) line.PushBack(i);
    line.BackToFront();
    std::vector<int> left;
    for (; !line.empty(); line.PopFront()) left.push_back(line.front());
    EXPECT(left == std::vector<int>{4, 0, 1, 2, 3});
  }

  TEST_CASE("the room that a crowd took is given back as it leaves") {
    Line<int> line;
    for (int i = 0; i < 100'000; ++i) line.PushBack(i);
    SUBCASE("one after the other") {
      for (int i = 0; i < 99'990; ++i) line.PopFront();
    }
    SUBCASE("all at once") {
      line.EraseIf([](int i) { return i < 99'990; });
    }
    EXPECT(line.size() == 10);
    EXPECT(line.front() == 99'990);
    EXPECT(line.room() <= Line<int>::kKeptMax);
  }

  TEST_CASE("through one that holds a few others pass without new room") {
    Line<int> line;
    for (int i = 0; i < 100; ++i) line.PushBack(i);
    for (int i = 0; i < 1000; ++i) {
      line.PopFront();
      line.PushBack(i);
    }
    const std::size_t room = line.room();
    for (int i = 0; i < 100'000; ++i) {
      line.PopFront();
      line.PushBack(i);
      EXPECT(line.room() == room);
    }
  }
}

}  // namespace
}  // namespace starling::gossip
