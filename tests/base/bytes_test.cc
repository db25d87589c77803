// Goal:   integers go into bytes and come back, in the order that each format needs.
// Method: known bytes, then laws over drawn integers at addresses that are not aligned.
#include "base/bytes.h"

#include <rapidcheck.h>

#include <string>

#include "tests/test.h"

namespace starling::base {
namespace {

template <typename T>
bool ComesBack() {
  return rc::check([](T value) {
    for (std::size_t at = 0; at < sizeof(T); ++at) {
      std::string room(3 * sizeof(T), '?');
      StoreLittle(room.data() + at, value);
      RC_ASSERT(LoadLittle<T>(room.data() + at) == value);
      StoreBig(room.data() + at, value);
      RC_ASSERT(LoadBig<T>(room.data() + at) == value);
      // Nothing is written beside it.
      RC_ASSERT(room.substr(0, at) == std::string(at, '?'));
      RC_ASSERT(room.substr(at + sizeof(T)) == std::string(2 * sizeof(T) - at, '?'));
    }
  });
}

template <typename T>
std::string Big(T value) {
  std::string out;
  AppendBig(out, value);
  return out;
}

TEST_SUITE("base/bytes") {
  TEST_CASE("little-endian has the low byte first, big-endian the high one") {
    std::string out = "<";
    AppendLittle(out, std::uint32_t{0x01020304});
    AppendBig(out, std::uint32_t{0x01020304});
    AppendBig(out, std::uint16_t{0xfffe});
    AppendBig(out, std::uint64_t{0x0102030405060708});
    AppendLittle(out, std::uint8_t{9});
    EXPECT(ToHex(out) ==
           "3c"
           "04030201"
           "01020304"
           "fffe"
           "0102030405060708"
           "09");
  }

  TEST_CASE("law: any integer comes back from any address, and nothing beside it changes") {
    EXPECT(ComesBack<std::uint16_t>());
    EXPECT(ComesBack<std::uint32_t>());
    EXPECT(ComesBack<std::uint64_t>());
  }

  TEST_CASE("law: big-endian bytes sort as the integers do") {
    EXPECT(rc::check([](std::uint64_t a, std::uint64_t b) {
      RC_ASSERT((Big(a) < Big(b)) == (a < b));
      const auto c = static_cast<std::uint32_t>(a), d = static_cast<std::uint32_t>(b);
      RC_ASSERT((Big(c) < Big(d)) == (c < d));
    }));
    EXPECT(Big(std::uint64_t{255}) < Big(std::uint64_t{256}));
  }

  TEST_CASE("hexadecimal has two lower-case digits a byte, the highest bit included") {
    EXPECT(ToHex("") == "");
    EXPECT(ToHex("key") == "6b6579");
    EXPECT(ToHex(std::string("\x00\x0f\xf0\xff", 4)) == "000ff0ff");
  }
}

}  // namespace
}  // namespace starling::base
