// Goal:   a host id survives its text, and no other text is taken for one.
// Method: a known text, a law over drawn ids, and every single character spoilt.
#include "base/host_id.h"

#include <rapidcheck.h>

#include <set>

#include "tests/test.h"

namespace starling::base {
namespace {

constexpr HostId kKnown{0x0123456789abcdef, 0x00112233445566ff};
constexpr std::string_view kText = "01234567-89ab-cdef-0011-2233445566ff";

TEST_SUITE("base/host_id") {
  TEST_CASE("an id prints as operators know it, leading zeros included") {
    EXPECT(kKnown.ToString() == kText);
    EXPECT(HostId{0, 1}.ToString() == "00000000-0000-0000-0000-000000000001");
    EXPECT(HostId::Parse(kText) == kKnown);
  }

  TEST_CASE("law: any id comes back as it was printed") {
    EXPECT(rc::check([](std::uint64_t high, std::uint64_t low) {
      const HostId id{high, low};
      RC_ASSERT(HostId::Parse(id.ToString()) == id);
    }));
  }

  TEST_CASE("a text that is spoilt anywhere is refused, quoted whole") {
    for (std::size_t at = 0; at < kText.size(); ++at) {
      for (const char wrong : {'g', ' ', '+', '_', '\0'}) {
        std::string text(kText);
        text[at] = wrong;
        const auto parsed = HostId::Parse(text);
        REQUIRE(!parsed.has_value());
        EXPECT(parsed.error().code() == Code::kInvalidArgument);
        EXPECT(parsed.error().message().find(text) != std::string::npos);
      }
    }
  }

  TEST_CASE("a text of another shape is refused") {
    for (const std::string_view text :
         {"", "-", "0123456789abcdef00112233445566ff", "01234567-89ab-cdef-0011-2233445566f",
          "01234567-89ab-cdef-0011-2233445566ff0", "0123456-789ab-cdef-0011-2233445566ff",
          "{01234567-89ab-cdef-0011-2233445566ff}", "01234567-89ab-cdef-0011--233445566ff",
          "0x234567-89ab-cdef-0011-2233445566ff"})
      EXPECT(!HostId::Parse(text).has_value());
  }

  TEST_CASE("all zero is nobody, and is never drawn") {
    EXPECT(HostId{}.empty());
    EXPECT(!HostId{0, 1}.empty());
    EXPECT(!HostId{1, 0}.empty());
    Random random(1);
    std::set<HostId> drawn;
    for (int i = 0; i < 1000; ++i) drawn.insert(HostId::Draw(random));
    EXPECT(drawn.size() == 1000);
    EXPECT(!drawn.contains(HostId{}));
  }
}

}  // namespace
}  // namespace starling::base
