// Goal:   an address reads as it prints, and no other text is taken for one.
// Method: a law over drawn addresses; texts that people and machines get wrong.
#include "base/address.h"

#include <rapidcheck.h>

#include "tests/test.h"

namespace starling::base {
namespace {

constexpr Address kLocal{0x7f000001, 7700};

TEST_SUITE("base/address") {
  TEST_CASE("an address prints with its port, and its IP alone") {
    EXPECT(kLocal.ToString() == "127.0.0.1:7700");
    EXPECT(kLocal.IpString() == "127.0.0.1");
    EXPECT(Address{0xffffffff, 65535}.ToString() == "255.255.255.255:65535");
    EXPECT(kLocal.WithPort(7701) == Address{0x7f000001, 7701});
  }

  TEST_CASE("all of 127/8 is loopback, and nothing else") {
    EXPECT(kLocal.loopback());
    EXPECT(Address{0x7fffffff, 1}.loopback());
    EXPECT(!Address{0x7effffff, 1}.loopback());
    EXPECT(!Address{0x80000000, 1}.loopback());
    EXPECT(!Address{}.loopback());
  }

  TEST_CASE("law: any address comes back as it was printed") {
    EXPECT(rc::check([](std::uint32_t ip, std::uint16_t port) {
      RC_PRE(port != 0);
      const Address address{ip, port};
      RC_ASSERT(ParseAddress(address.ToString()) == address);
      RC_ASSERT(ParseAddress(address.IpString(), port) == address);
    }));
  }

  TEST_CASE("a port in the text goes before the default") {
    EXPECT(ParseAddress("127.0.0.1", 7700) == kLocal);
    EXPECT(ParseAddress("127.0.0.1:7700", 1) == kLocal);
  }

  TEST_CASE("what is no address is refused, quoted whole") {
    const std::string_view bad[] = {
        "",
        ":",
        ":7700",
        "7700",
        "localhost:7700",
        "127.0.0:7700",
        "127.0.0.1.1:7700",
        "127.0.0.256:7700",
        "127.0.0.-1:7700",
        "0x7f.0.0.1:7700",
        " 127.0.0.1:7700",
        "127.0.0.1 :7700",
        "127.0.0.1: 7700",
        "127.0.0.1:7700 ",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:99999999999999999999",
        "127.0.0.1:+80",
        "127.0.0.1:-80",
        "127.0.0.1:0x50",
        "127.0.0.1:80a",
        "127.0.0.1:80:80",
        "::1",
        "[::1]:7700",
        std::string_view("127.0.0.1\0x:7700", 16),
        std::string_view("127.0.0.1:7700\0", 15),
    };
    for (const std::string_view text : bad) {
      const auto parsed = ParseAddress(text, 7700);
      DOCTEST_INFO("the text is '", std::string(text), "'");
      REQUIRE(!parsed.has_value());
      EXPECT(parsed.error().code() == Code::kInvalidArgument);
      EXPECT(parsed.error().message().find("'" + std::string(text) + "'") != std::string::npos);
    }
  }

  TEST_CASE("without a default an address needs its port") {
    EXPECT(ParseAddress("127.0.0.1").error() ==
           InvalidArgument("'127.0.0.1' lacks a port (ADDRESS:PORT)"));
  }

  TEST_CASE("addresses sort by IP, then by port") {
    EXPECT(kLocal < Address{0x7f000001, 7701});
    EXPECT(Address{0x7f000001, 65535} < Address{0x7f000002, 1});
  }
}

}  // namespace
}  // namespace starling::base
