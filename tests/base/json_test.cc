// Goal:   a document prints what was written into it, in that order, whatever bytes it was given.
// Method: whole documents against the text that they must print.
#include "base/json.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tests/test.h"

namespace starling::base {
namespace {

TEST_SUITE("base/json") {
  TEST_CASE("values print as JSON has them") {
    EXPECT(Json().Text() == "null");
    EXPECT(Json(nullptr).Text() == "null");
    EXPECT(Json(true).Text() == "true");
    EXPECT(Json(-1).Text() == "-1");
    EXPECT(Json(std::uint8_t{7}).Text() == "7");
    EXPECT(Json(std::numeric_limits<std::int64_t>::min()).Text() == "-9223372036854775808");
    EXPECT(Json(std::numeric_limits<std::uint64_t>::max()).Text() == "18446744073709551615");
    EXPECT(Json(0.5).Text() == "0.5");
    EXPECT(Json(std::nan("")).Text() == "null");
    EXPECT(Json("a\"b\n").Text() == R"("a\"b\n")");
    EXPECT(Json(std::string("a\0b", 3)).Text() == R"("a\u0000b")");
  }

  TEST_CASE("fields keep the order in which they were written") {
    const Json json = {{"z", 1}, {"a", "x"}, {"m", {{"y", nullptr}, {"b", false}}}};
    EXPECT(json.Text() == R"({"z":1,"a":"x","m":{"y":null,"b":false}})");
    EXPECT(json.size() == 3);
  }

  TEST_CASE("one field is an object, not its value") {
    const Json json = {{"only", Json::Array()}};
    EXPECT(json.Text() == R"({"only":[]})");
  }

  TEST_CASE("a field that is set again keeps its place and has the new value") {
    Json json = {{"a", 1}, {"b", 2}};
    json.Set("a", "x");
    json.Set("c", Json::Object());
    EXPECT(json.Text() == R"({"a":"x","b":2,"c":{}})");
  }

  TEST_CASE("null becomes what is put into it") {
    Json array, object;
    array.Append(1);
    object.Set("a", 1);
    EXPECT(array.Text() == "[1]");
    EXPECT(object.Text() == R"({"a":1})");
  }

  TEST_CASE("vectors are arrays, and what is not there is null") {
    const Json json = {{"names", std::vector<std::string>{"x", "y"}},
                       {"tokens", std::vector<std::uint16_t>{1, 65535}},
                       {"none", std::vector<int>{}},
                       {"known", std::optional<std::int64_t>(5)},
                       {"unknown", std::optional<std::int64_t>()}};
    EXPECT(json.Text() ==
           R"({"names":["x","y"],"tokens":[1,65535],"none":[],"known":5,"unknown":null})");
  }

  TEST_CASE("a copy is apart from what it was copied from") {
    Json json = {{"a", 1}};
    const Json copy = json;
    json.Set("a", 2);
    EXPECT(copy.Text() == R"({"a":1})");
    Json outer = Json::Array();
    outer.Append(copy);
    outer.Append(std::move(json));
    EXPECT(outer.Text() == R"([{"a":1},{"a":2}])");
  }

  TEST_CASE("what is not UTF-8 is replaced, not refused") {
    EXPECT(Json("\xff").Text() == "\"\xef\xbf\xbd\"");
  }

  TEST_CASE("for people it is indented") {
    const Json json = {{"a", std::vector<int>{1}}};
    EXPECT(json.Text(Json::Layout::kIndented) == "{\n  \"a\": [\n    1\n  ]\n}");
  }
}

}  // namespace
}  // namespace starling::base
