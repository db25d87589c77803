// Goal:   the later stamp is the higher one, and it is the same on every disk and wire.
// Method: pairs in order, known bytes, and a law over drawn versions.
#include "base/version.h"

#include <rapidcheck.h>

#include <tuple>

#include "tests/test.h"

namespace starling::base {
namespace {

Version DrawVersion() {
  // Small fields, so that they often tie.
  return {*rc::gen::inRange<std::uint64_t>(0, 3), *rc::gen::inRange<NodeNumber>(0, 3),
          *rc::gen::inRange<std::uint32_t>(0, 3)};
}

TEST_SUITE("base/version") {
  TEST_CASE("the timestamp decides, then the node, then the nonce") {
    EXPECT(Version{1, 9, 9} < Version{2, 0, 0});
    EXPECT(Version{2, 1, 9} < Version{2, 2, 0});
    EXPECT(Version{2, 2, 0} < Version{2, 2, 1});
    EXPECT(Version{2, 2, 1} == Version{2, 2, 1});
    EXPECT(Version{0, ~0U, ~0U} < Version{1, 0, 0});
    EXPECT(Version{1, 0, 0} < Version{~0ULL, 0, 0});  // The highest bit is no sign.
  }

  TEST_CASE("law: versions are ordered as their fields are") {
    EXPECT(rc::check([] {
      const Version a = DrawVersion(), b = DrawVersion();
      const auto fields = [](const Version& v) { return std::tuple(v.timestamp, v.node, v.nonce); };
      RC_ASSERT((a < b) == (fields(a) < fields(b)));
      RC_ASSERT((a == b) == (fields(a) == fields(b)));
    }));
  }

  TEST_CASE("never written is below all that was") {
    EXPECT(Version{}.empty());
    EXPECT(!Version{1, 0, 0}.empty());
    EXPECT(Version{} < Version{1, 0, 0});
    EXPECT(Version{}.ToString() == "none");
  }

  TEST_CASE("a stamp's milliseconds are above its 16 bits of counter") {
    const Version version{1764000000000ULL << 16 | 3, 2, 0x89abcdef};
    EXPECT(version.wall_ms() == 1764000000000);
    EXPECT(version.ToString() == "1764000000000.3@2#89abcdef");
    EXPECT(Version{1ULL << 16 | 0xffff, 1, 0}.ToString() == "1.65535@1#00000000");
  }

  TEST_CASE("sixteen bytes, little-endian, in the order of the fields") {
    char bytes[Version::kSize];
    Version{0x0102030405060708, 0x11121314, 0x21222324}.StoreTo(bytes);
    EXPECT(ToHex({bytes, sizeof bytes}) ==
           "0807060504030201"
           "14131211"
           "24232221");
  }

  TEST_CASE("law: any version comes back as it was printed, and nothing else is one") {
    EXPECT(rc::check([](std::uint64_t timestamp, std::uint32_t node, std::uint32_t nonce) {
      const Version version{timestamp, node, nonce};
      if (!version.empty()) RC_ASSERT(Version::Parse(version.ToString()) == version);
    }));
    EXPECT(Version::Parse("none") == Version{});
    for (const char* text : {"", "-", "1", "1.2", "1.2@3", "1.2@3#", "1.70000@3#4", "1.2@3#4x",
                             "1.2@-3#4", "x.2@3#4", "281474976710656.0@1#1", "1.2@3#123456789"})
      EXPECT(!Version::Parse(text).has_value());
  }

  TEST_CASE("law: any version comes back as it was stored") {
    EXPECT(rc::check([](std::uint64_t timestamp, std::uint32_t node, std::uint32_t nonce) {
      const Version version{timestamp, node, nonce};
      char bytes[Version::kSize + 1];
      version.StoreTo(bytes + 1);
      RC_ASSERT(Version::LoadFrom(bytes + 1) == version);
    }));
  }
}

}  // namespace
}  // namespace starling::base
