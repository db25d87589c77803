// Goal:   what others wrote is shown on one line and says nothing to a terminal.
// Method: strings as a peer, a client or a file may send them.
#include "base/printable.h"

#include "tests/test.h"

namespace starling::base {
namespace {

TEST_SUITE("base/printable") {
  TEST_CASE("text is shown as it is") {
    EXPECT(Printable("") == "");
    EXPECT(Printable("cluster 'prod', 50 %") == "cluster 'prod', 50 %");
    EXPECT(Printable("étourneau \U0001F426") == "étourneau \U0001F426");
  }

  TEST_CASE("a line end makes no second line, and an escape sequence does nothing") {
    EXPECT(Printable("a\nE fake\r\tb") == "a\\nE fake\\r\\tb");
    EXPECT(Printable("\x1b[2J\x7f") == "\\x1b[2J\\x7f");
    EXPECT(Printable(Bytes("a\0b", 3)) == "a\\x00b");
    EXPECT(Printable("\xc2\x9b"
                     "31m\xc2\xa0") == "\\x9b31m\xc2\xa0");  // U+009B, U+00A0
  }

  TEST_CASE("what is no UTF-8 is shown byte by byte") {
    EXPECT(Printable("a\xff\xc3") == "a\\xff\\xc3");
    EXPECT(Printable("\xc2") == "\\xc2");
  }

  TEST_CASE("what is too long is cut, between characters") {
    EXPECT(Printable("abc", 3) == "abc");
    EXPECT(Printable("abcd", 3) == "abc...");
    EXPECT(Printable("abé", 3) == "ab...");
    EXPECT(Printable("é", 0) == "...");
    EXPECT(Printable("ab\xff\xff", 3) == "ab\\xff...");
  }
}

}  // namespace
}  // namespace starling::base
