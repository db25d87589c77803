// Goal:   durations and sizes are read as people write them, and nothing else is.
// Method: every unit, the borders of what fits, texts that are near misses; a law of printing.
#include "server/config_units.h"

#include <fmt/core.h>
#include <rapidcheck.h>

#include <utility>

#include "tests/test.h"

namespace starling::server {
namespace {

// Refused as a user's mistake, with the text quoted and the units listed.
template <typename T>
bool Refuses(const base::Result<T>& result, std::string_view text, std::string_view units) {
  if (result || result.error().code() != base::Code::kInvalidArgument) return false;
  const std::string& message = result.error().message();
  return message.find(fmt::format("'{}'", text)) != std::string::npos &&
         message.find(units) != std::string::npos;
}

TEST_SUITE("server/config_units") {
  TEST_CASE("durations are read in every unit, and printed as they are read") {
    const std::pair<const char*, base::Duration> durations[] = {
        {"0ms", base::Duration::zero()}, {"300ms", base::milliseconds(300)},
        {"5s", base::seconds(5)},        {"90m", std::chrono::minutes(90)},
        {"3h", std::chrono::hours(3)},   {"2d", std::chrono::hours(48)},
    };
    for (const auto& [text, duration] : durations) {
      const auto parsed = ParseDuration(text);
      REQUIRE(parsed.has_value());
      EXPECT(*parsed == duration);
      EXPECT(FormatDuration(duration) == text);
    }
    EXPECT(ParseDuration("0").value() == base::Duration::zero());
    EXPECT(ParseDuration("0d").value() == base::Duration::zero());
  }

  TEST_CASE("sizes are read in every unit, a number alone as bytes, and printed as they are read") {
    const std::pair<const char*, std::uint64_t> sizes[] = {
        {"0B", 0},           {"100B", 100},        {"64KiB", 1 << 16},
        {"256MiB", 1 << 28}, {"3GiB", 3ULL << 30}, {"1TiB", 1ULL << 40},
    };
    for (const auto& [text, bytes] : sizes) {
      const auto parsed = ParseSize(text);
      REQUIRE(parsed.has_value());
      EXPECT(*parsed == bytes);
      EXPECT(FormatSize(bytes) == text);
    }
    EXPECT(ParseSize("4096").value() == 4096);
    EXPECT(ParseSize("007KiB").value() == 7168);
  }

  TEST_CASE("the largest unit without a remainder is printed") {
    EXPECT(FormatDuration(base::milliseconds(1500)) == "1500ms");
    EXPECT(FormatDuration(base::milliseconds(60'000)) == "1m");
    EXPECT(FormatDuration(base::microseconds(1999)) == "1ms");
    EXPECT(FormatSize(1024) == "1KiB");
    EXPECT(FormatSize(1025) == "1025B");
  }

  TEST_CASE("law: what is printed reads as the same") {
    EXPECT(rc::check([](std::uint64_t bytes, std::uint32_t ms, std::uint8_t zeros) {
      const std::uint64_t round = bytes >> (zeros % 64) << (zeros % 64);
      RC_ASSERT(ParseSize(FormatSize(round)) == round);
      const base::Duration duration = base::milliseconds(ms) * (zeros % 2 == 0 ? 1 : 1000);
      RC_ASSERT(ParseDuration(FormatDuration(duration)) == duration);
    }));
  }

  TEST_CASE("the most that fits is taken, and one more is not") {
    EXPECT(ParseDuration("9223372036854ms").value() == base::milliseconds(9223372036854));
    EXPECT(ParseDuration("106751d").value() == std::chrono::hours(24) * 106751);
    EXPECT(ParseSize("18446744073709551615").value() == ~0ULL);
    EXPECT(ParseSize("16777215TiB").value() == 16777215ULL << 40);
  }

  TEST_CASE("what is too large is called so, with the largest of its unit") {
    const std::pair<const char*, const char*> durations[] = {
        {"9223372036855ms", "9223372036854ms"},
        {"9223372036855s", "9223372036s"},
        {"106752d", "106751d"},
        {"99999999d", "106751d"},
        {"99999999999999h", "2562047h"},
        {"99999999999999999999s", "9223372036s"},
    };
    for (const auto& [text, largest] : durations)
      EXPECT(
          Refuses(ParseDuration(text), text, fmt::format("too large, the largest is {}", largest)));
    const std::pair<const char*, const char*> sizes[] = {
        {"18446744073709551616", "18446744073709551615B"},
        {"16777216TiB", "16777215TiB"},
        {"99999999999999999999GiB", "17179869183GiB"},
    };
    for (const auto& [text, largest] : sizes)
      EXPECT(Refuses(ParseSize(text), text, fmt::format("too large, the largest is {}", largest)));
  }

  TEST_CASE("a number too large for any unit is still no duration without one") {
    EXPECT(
        Refuses(ParseDuration("99999999999999999999"), "99999999999999999999", "is no duration"));
    EXPECT(Refuses(ParseSize("99999999999999999999PiB"), "99999999999999999999PiB", "is no size"));
  }

  TEST_CASE("what is no duration is quoted, with the units there are") {
    for (const std::string_view text :
         {"",     "5",    "00",  "s",     "ms",   "-5s",  "+5s", "1.5s",
          "1,5s", "5 s",  " 5s", "5s ",   "5S",   "5Ms",  "5us", "5ns",
          "5w",   "5sec", "5ss", "1s2ms", "0x5s", "1e3s", "inf", "five seconds"})
      EXPECT(Refuses(ParseDuration(text), text, "ms, s, m, h or d"));
  }

  TEST_CASE("what is no size is quoted, with the units there are") {
    for (const std::string_view text :
         {"",     "B",     "MiB",   "-1",    "+1",    "1.5GiB", "1MB", "1kB",      "1K",   "1mib",
          "1MIB", "1 MiB", " 1MiB", "1MiB ", "1MiBs", "0x10",   "1e6", "1MiB1KiB", "1PiB", "lots"})
      EXPECT(Refuses(ParseSize(text), text, "B, KiB, MiB, GiB or TiB"));
  }

  TEST_CASE("a zero byte ends no text") {
    const std::string_view duration("5s\0", 3), size("5\0", 2);
    EXPECT(!ParseDuration(duration).has_value());
    EXPECT(!ParseSize(size).has_value());
  }
}

}  // namespace
}  // namespace starling::server
