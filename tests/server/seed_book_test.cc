// Goal:   seeds become addresses, each once and sorted; names are followed wherever they lead, and
//         one that leads nowhere is named.
// Method: numeric seeds; names whose addresses a test decides; and the system's resolver on the one
//         name that every machine has, and on one that no resolver sends on.
#include "server/seed_book.h"

#include "server/resolve.h"
#include "tests/test.h"

namespace starling::server {
namespace {

using Found = std::vector<base::Result<std::uint32_t>>;

constexpr base::Address kFirst{0x7f000001, 7700}, kSecond{0x7f000002, 7700},
    kThird{0x7f000003, 7700};

std::vector<base::Address> Addresses(const std::vector<std::string>& seeds) {
  const auto book = SeedBook::Of(seeds, 7700);
  REQUIRE(book.has_value());
  EXPECT(book->complete());
  return book->addresses();
}

TEST_SUITE("server/seed_book") {
  TEST_CASE("numeric seeds are taken as they are, with the default port where there is none") {
    EXPECT(Addresses({"127.0.0.1", "127.0.0.2:7700"}) ==
           std::vector<base::Address>{kFirst, kSecond});
  }

  TEST_CASE("the order and repeats of the list do not matter: all seeds must see one list") {
    EXPECT(Addresses({"127.0.0.2:7700", "127.0.0.1", "127.0.0.2"}) ==
           std::vector<base::Address>{kFirst, kSecond});
    EXPECT(Addresses({}) == std::vector<base::Address>{});
  }

  TEST_CASE("a name has no address until it was looked up, and is the same seed as its number") {
    SeedBook book = *SeedBook::Of({"one.test:7700", "127.0.0.1", "two.test"}, 7700);
    EXPECT(book.names() == std::vector<std::string>{"one.test", "two.test"});
    EXPECT(!book.complete());
    EXPECT(book.addresses() == std::vector<base::Address>{kFirst});
    EXPECT(book.Learn({kFirst.ip, kSecond.ip}));
    EXPECT(book.complete());
    EXPECT(book.addresses() == std::vector<base::Address>{kFirst, kSecond});
    EXPECT(!book.Learn({kFirst.ip, kSecond.ip}));
  }

  TEST_CASE("F22: a name that leads elsewhere is followed; one that leads nowhere stays") {
    SeedBook book = *SeedBook::Of({"one.test", "two.test"}, 7700);
    book.Learn({kFirst.ip, kSecond.ip});
    EXPECT(book.Learn(Found{kThird.ip, base::Fail(base::Unavailable("no answer"))}));
    EXPECT(book.addresses() == std::vector<base::Address>{kSecond, kThird});
    EXPECT(book.complete());
  }

  TEST_CASE("a name that was never resolved is named with the reason") {
    SeedBook book = *SeedBook::Of({"127.0.0.1", "two.test:7700"}, 7700);
    EXPECT(!book.Learn(Found{base::Fail(base::Unavailable("no answer"))}));
    EXPECT(book.problem() == "seed 'two.test' cannot be resolved: no answer");
  }

  TEST_CASE("a port that is none is a mistake of the configuration, whatever the name") {
    for (const std::string seed :
         {"localhost:0", "localhost:65536", "localhost:", "localhost:x", "127.0.0.1:0"}) {
      DOCTEST_INFO("the seed is ", seed);
      const auto book = SeedBook::Of({"127.0.0.1", seed}, 7700);
      REQUIRE(!book.has_value());
      EXPECT(book.error().code() == base::Code::kInvalidArgument);
    }
    EXPECT(SeedBook::Of({"localhost"}, 0).error().code() == base::Code::kInvalidArgument);
  }

  TEST_CASE("the system's resolver knows localhost, and says why it does not know another") {
    EXPECT(SystemLookUp("localhost") == kFirst.ip);
    // Longer than a name's part can be: no resolver asks the network for it.
    const auto nowhere = SystemLookUp(std::string(64, 'a'));
    REQUIRE(!nowhere.has_value());
    EXPECT(nowhere.error().code() == base::Code::kUnavailable);
    EXPECT(!nowhere.error().message().empty());
  }
}

}  // namespace
}  // namespace starling::server
