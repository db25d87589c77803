// Goal:   a field is taken as what it is, and whoever sent another type hears which field it was.
// Method: good fields, absent ones, and each type where another is asked for.
#include "base/json_object.h"

#include <string>

#include "base/base64.h"
#include "tests/test.h"

namespace starling::base {
namespace {

JsonObject Parsed(std::string_view text) {
  auto object = JsonObject::Parse(text);
  REQUIRE(object.has_value());
  return *std::move(object);
}

TEST_SUITE("base/json_object") {
  TEST_CASE("only an object is one, or nothing at all") {
    EXPECT(JsonObject::Parse("").has_value());
    EXPECT(JsonObject::Parse("{}").has_value());
    for (const char* text : {"[]", "1", "null", "{", "{\"a\":}", "{} {}", "\xff"}) {
      const auto object = JsonObject::Parse(text);
      REQUIRE(!object.has_value());
      EXPECT(object.error().code() == Code::kInvalidArgument);
    }
  }

  TEST_CASE("each field is read as what it is") {
    const JsonObject object = Parsed(
        R"({"text":"a","flag":true,"whole":18446744073709551615,"texts":["x","y"],"none":[]})");
    EXPECT(object.Text("text") == "a");
    EXPECT(object.Flag("flag") == true);
    EXPECT(object.Whole("whole") == UINT64_MAX);
    EXPECT(object.Texts("texts") == std::vector<std::string>{"x", "y"});
    EXPECT(object.Texts("none") == std::vector<std::string>{});
  }

  TEST_CASE("what is not there is empty, false or 0") {
    const JsonObject object = Parsed("{}");
    EXPECT(object.Text("a") == "");
    EXPECT(object.Flag("a") == false);
    EXPECT(object.Whole("a") == 0U);
    EXPECT(object.Texts("a") == std::vector<std::string>{});
    EXPECT(object.Bytes("a") == "");
  }

  TEST_CASE("a field of another type is refused by name") {
    const JsonObject object =
        Parsed(R"({"text":"a","flag":true,"minus":-1,"half":0.5,"mixed":["x",1],"null":null})");
    const auto refused = [](const auto& result, const std::string& name) {
      REQUIRE(!result.has_value());
      EXPECT(result.error().code() == Code::kInvalidArgument);
      EXPECT(result.error().message().find("'" + name + "'") != std::string::npos);
    };
    refused(object.Text("flag"), "flag");
    refused(object.Text("null"), "null");
    refused(object.Flag("text"), "text");
    refused(object.Flag("minus"), "minus");
    refused(object.Whole("minus"), "minus");
    refused(object.Whole("half"), "half");
    refused(object.Whole("text"), "text");
    refused(object.Texts("text"), "text");
    refused(object.Texts("mixed"), "mixed");
    refused(object.Bytes("flag"), "flag");
  }

  TEST_CASE("bytes come as they are or in base64") {
    const JsonObject object =
        Parsed(R"({"a":"plain","b_base64":")" + ToBase64("\xff") + R"(","c":"x","c_base64":""})");
    EXPECT(object.Bytes("a") == "plain");
    EXPECT(object.Bytes("b") == "\xff");
    EXPECT(object.Bytes("c") == "x");
    const auto bad = Parsed(R"({"a_base64":"!"})").Bytes("a");
    REQUIRE(!bad.has_value());
    EXPECT(bad.error().message().starts_with("a_base64: "));
  }
}

}  // namespace
}  // namespace starling::base
