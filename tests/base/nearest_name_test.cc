// Goal:   a slip of the finger finds its name, and another word finds none.
// Method: names as the command lines have them.
#include "base/nearest_name.h"

#include <array>

#include "tests/test.h"

namespace starling::base {
namespace {

constexpr std::array<std::string_view, 4> kNames{"put", "get", "delete", "keyspace"};

TEST_SUITE("base/nearest_name") {
  TEST_CASE("a letter too many, too few or swapped is forgiven") {
    EXPECT(NearestName("puut", kNames) == "put");
    EXPECT(NearestName("gt", kNames) == "get");
    EXPECT(NearestName("kyespace", kNames) == "keyspace");
  }

  TEST_CASE("a word that shares nothing with any name has no nearest one") {
    EXPECT(NearestName("frobnicate", kNames).empty());
    EXPECT(NearestName("xyz", kNames).empty());
    EXPECT(NearestName("put", {}).empty());
  }
}

}  // namespace
}  // namespace starling::base
