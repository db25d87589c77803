// Goal:   records survive a file in either format, and a bad line is refused with the reason.
// Method: RapidCheck draws records; bad lines are written out by hand.
#include "tools/starling/lines.h"

#include <rapidcheck.h>

#include "server/wire/limits.h"
#include "tests/test.h"

namespace starling::cli {
namespace {

std::string WhyRefused(std::string_view line, Format format = Format::kJsonl) {
  const auto record = ParseLine(line, format);
  return record ? "" : record.error().message();
}

bool Survives(const Record& record, Format format) {
  std::string line;
  FormatLineTo(record, format, line);
  if (line.find('\n') != line.size() - 1) return false;
  line.pop_back();
  const auto read = ParseLine(line, format);
  return read && read->key == record.key && read->value == record.value &&
         read->ttl_ms == record.ttl_ms;
}

TEST_SUITE("tools/starling/lines") {
  TEST_CASE("any bytes survive either format, and a line is one line") {
    EXPECT(rc::check([](const std::string& key, const std::string& value, std::uint64_t ttl) {
      const std::uint64_t ttl_ms = ttl % (wire::kTtlMsMax + 1);
      const Record record{.key = key + "k", .value = value, .ttl_ms = ttl_ms};
      RC_ASSERT(Survives(record, Format::kJsonl));
      RC_ASSERT(Survives(record, Format::kTsv));
    }));
    std::string all;
    for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
    EXPECT(Survives({.key = all, .value = all}, Format::kJsonl));
    EXPECT(Survives({.key = all, .value = all}, Format::kTsv));
  }

  TEST_CASE("text stays legible, and only what is no UTF-8 becomes base64") {
    std::string line;
    FormatLineTo({.key = "bird", .value = "Sturnus vulgaris, étourneau"}, Format::kJsonl, line);
    EXPECT(line == "{\"key\":\"bird\",\"value\":\"Sturnus vulgaris, étourneau\"}\n");
    line.clear();
    FormatLineTo({.key = "k", .value = "\xff\x01", .ttl_ms = 5}, Format::kJsonl, line);
    EXPECT(line == "{\"key\":\"k\",\"ttl_ms\":5,\"value_base64\":\"/wE=\"}\n");
  }

  TEST_CASE("a bad JSON line is refused with the reason") {
    EXPECT(WhyRefused("{\"key\":\"a\",\"value\":\"b\"")
               .starts_with("the line is no JSON object: syntax error while parsing object"));
    EXPECT(WhyRefused("{\"key\":\"\xff\"}").find("ill-formed UTF-8 byte") != std::string::npos);
    EXPECT(WhyRefused("{\"key\":\"\\ud800\"}").find("surrogate") != std::string::npos);
    EXPECT(WhyRefused("{\"key\":\"" + std::string(100'000, 'k')).size() < 300);
    EXPECT(WhyRefused("{\"key\":1e999}").find("1e999") != std::string::npos);
    EXPECT(WhyRefused("[1]") == "the line is no JSON object");
    EXPECT(WhyRefused("{\"value\":\"b\"}") == "there is no key");
    EXPECT(WhyRefused("{\"key\":\"\",\"value\":\"b\"}") == "the key is empty");
    EXPECT(WhyRefused("{\"key\":\"a\"}") == "there is neither value nor value_base64");
    EXPECT(WhyRefused("{\"key\":1,\"value\":\"b\"}") == "key is no string");
    EXPECT(WhyRefused("{\"key\":\"a\",\"value\":\"b\",\"value_base64\":\"Yg==\"}") ==
           "both value and value_base64 are given");
    EXPECT(WhyRefused("{\"key\":\"a\",\"value_base64\":\"Y\"}") ==
           "value_base64: base64 text has a length that 4 does not divide");
    EXPECT(WhyRefused("{\"key\":\"a\",\"value\":\"b\",\"ttl_ms\":-1}") ==
           "ttl_ms is no positive whole number");
    EXPECT(WhyRefused("{\"key\":\"a\",\"value\":\"b\",\"ttl_ms\":0}") ==
           "ttl_ms is no positive whole number");
    EXPECT(WhyRefused("{\"key\":\"a\",\"value\":\"b\",\"ttl\":7}")
               .starts_with("field 'ttl' is unknown"));
  }

  TEST_CASE("a bad TSV line is refused with the reason") {
    EXPECT(WhyRefused("key and no tab", Format::kTsv) == "there is no tab after the key");
    EXPECT(WhyRefused("\tvalue", Format::kTsv) == "the key is empty");
    EXPECT(WhyRefused("k\tv\tsoon", Format::kTsv) == "ttl_ms 'soon' is no positive whole number");
    EXPECT(WhyRefused("k\t\\x", Format::kTsv) ==
           "a backslash stands before other than t, n, r or \\");
    EXPECT(WhyRefused("k\tv\t0", Format::kTsv) == "ttl_ms '0' is no positive whole number");
    EXPECT(WhyRefused("k\tends in \\", Format::kTsv) != "");
  }

  TEST_CASE("what a refusal quotes of a line is short, and says nothing to a terminal") {
    const std::string seventy(70, 'x');
    const std::string cut = "'" + seventy.substr(0, 40) + "...'";
    EXPECT(WhyRefused("k\tv\t" + seventy, Format::kTsv) ==
           "ttl_ms " + cut + " is no positive whole number");
    EXPECT(WhyRefused("k\tv\t\x1b[2J", Format::kTsv) ==
           "ttl_ms '\\x1b[2J' is no positive whole number");
    EXPECT(WhyRefused("{\"key\":\"a\",\"value\":\"b\",\"" + seventy + "\":1}")
               .starts_with("field " + cut + " is unknown"));
    EXPECT(WhyRefused("{\"key\":\"a\",\"value\":\"b\",\"\\u001b\":1}")
               .starts_with("field '\\x1b' is unknown"));
  }

  TEST_CASE("a life of more than 20 years is refused, and never becomes one for ever") {
    const auto why_refused = [](std::uint64_t ttl_ms, Format format) {
      std::string line;
      FormatLineTo({.key = "k", .value = "v", .ttl_ms = ttl_ms}, format, line);
      line.pop_back();
      return WhyRefused(line, format);
    };
    for (const Format format : {Format::kJsonl, Format::kTsv}) {
      EXPECT(why_refused(wire::kTtlMsMax, format) == "");
      EXPECT(why_refused(wire::kTtlMsMax + 1, format) ==
             "ttl_ms 630720000001 is too long: 630720000000, 20 years, is the most");
      EXPECT(why_refused(~std::uint64_t{0}, format)
                 .starts_with("ttl_ms 18446744073709551615 is too long"));
    }
  }
}

}  // namespace
}  // namespace starling::cli
