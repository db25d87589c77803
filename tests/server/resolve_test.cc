// Goal:   seeds become addresses, each once and sorted; one that can't is named.
// Method: numeric seeds, the one name that every machine has, and a name that no resolver sends on.
#include "server/resolve.h"

#include "tests/test.h"

namespace starling::server {
namespace {

constexpr base::Address kOne{0x7f000001, 7700}, kTwo{0x7f000002, 7700};

TEST_SUITE("server/resolve") {
  TEST_CASE("numeric seeds are taken as they are, with the default port where there is none") {
    EXPECT(ResolveSeeds({"127.0.0.1", "127.0.0.2:7700"}, 7700) ==
           std::vector<base::Address>{kOne, kTwo});
    EXPECT(ResolveSeeds({"127.0.0.1:7700"}, 1) == std::vector<base::Address>{kOne});
  }

  TEST_CASE("the order and repeats of the list do not matter: all seeds must see one list") {
    const std::vector<base::Address> both{kOne, kTwo};
    EXPECT(ResolveSeeds({"127.0.0.2:7700", "127.0.0.1", "127.0.0.2"}, 7700) == both);
    EXPECT(ResolveSeeds({"127.0.0.1", "127.0.0.1:7701"}, 7700) ==
           std::vector<base::Address>{kOne, kOne.WithPort(7701)});
    EXPECT(ResolveSeeds({}, 7700) == std::vector<base::Address>{});
  }

  TEST_CASE("a name is resolved, and is the same seed as its number") {
    EXPECT(ResolveSeeds({"localhost", "localhost:7700", "127.0.0.1"}, 7700) ==
           std::vector<base::Address>{kOne});
  }

  TEST_CASE("a port that is none is a mistake of the configuration, whatever the name") {
    for (const std::string seed :
         {"localhost:0", "localhost:65536", "localhost:", "localhost:x", "127.0.0.1:0"}) {
      const auto resolved = ResolveSeeds({"127.0.0.1", seed}, 7700);
      DOCTEST_INFO("the seed is ", seed);
      REQUIRE(!resolved.has_value());
      EXPECT(resolved.error().code() == base::Code::kInvalidArgument);
    }
    EXPECT(ResolveSeeds({"localhost"}, 0).error().code() == base::Code::kInvalidArgument);
  }

  TEST_CASE("a name that can't be resolved makes the seeds unavailable, and is named") {
    // Longer than a name's part can be: no resolver asks the network for it.
    const std::string name(64, 'a');
    const auto resolved = ResolveSeeds({"127.0.0.1", name + ":7700"}, 7700);
    REQUIRE(!resolved.has_value());
    EXPECT(resolved.error().code() == base::Code::kUnavailable);
    EXPECT(resolved.error().message().find("seed '" + name + ":7700' cannot be resolved: ") == 0);
  }
}

}  // namespace
}  // namespace starling::server
