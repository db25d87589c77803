// Goal:   base64 gives all bytes back, and what is no UTF-8 is told from what is.
// Method: RFC 4648's own vectors, a law over drawn bytes, bad texts by hand.
#include "base/base64.h"

#include <rapidcheck.h>

#include "tests/test.h"

namespace starling::base {
namespace {

TEST_SUITE("base/base64") {
  TEST_CASE("base64 is RFC 4648's") {
    EXPECT(ToBase64("") == "");
    EXPECT(ToBase64("f") == "Zg==");
    EXPECT(ToBase64("fo") == "Zm8=");
    EXPECT(ToBase64("foobar") == "Zm9vYmFy");
    EXPECT(*FromBase64("Zm9vYmE=") == "fooba");
    EXPECT(!FromBase64("Zm9v!mE=").has_value());
    EXPECT(!FromBase64("=m9v").has_value());
    EXPECT(!FromBase64("Z===").has_value());
    EXPECT(rc::check(
        [](const std::string& bytes) { RC_ASSERT(FromBase64(ToBase64(bytes)).value() == bytes); }));
  }

  TEST_CASE("overlong forms, surrogates and cut sequences are no UTF-8") {
    EXPECT(IsUtf8("aé€😀"));
    for (const std::string bad : {"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                  "\xe2\x82", "\x80", "\xff"})
      EXPECT(!IsUtf8(bad));
  }
}

}  // namespace
}  // namespace starling::base
