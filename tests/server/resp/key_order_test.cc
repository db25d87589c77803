// Goal:   writes of a key exclude all else on it, reads share it, and other keys never notice.
// Method: a few cases by hand, then random histories against a plain map of readers and writers.
#include "server/resp/key_order.h"

#include <map>
#include <vector>

#include "base/random.h"
#include "tests/test.h"

namespace starling::resp {
namespace {

using Access = KeyOrder::Access;

struct Users {
  int readers = 0;
  bool written = false;
};

struct Held {
  std::uint64_t hash;
  Access access;
};

TEST_SUITE("server/resp/key_order") {
  TEST_CASE("reads of a key go together, and a write waits for them") {
    KeyOrder order;
    REQUIRE(order.TryBegin(7, Access::kRead));
    REQUIRE(order.TryBegin(7, Access::kRead));
    EXPECT(!order.TryBegin(7, Access::kWrite));
    order.End(7, Access::kRead);
    EXPECT(!order.TryBegin(7, Access::kWrite));
    order.End(7, Access::kRead);
    EXPECT(order.TryBegin(7, Access::kWrite));
  }

  TEST_CASE("a write keeps reads and writes of its key away, and of no other") {
    KeyOrder order;
    REQUIRE(order.TryBegin(7, Access::kWrite));
    EXPECT(!order.TryBegin(7, Access::kRead));
    EXPECT(!order.TryBegin(7, Access::kWrite));
    EXPECT(order.TryBegin(8, Access::kWrite));
    order.End(7, Access::kWrite);
    EXPECT(order.TryBegin(7, Access::kRead));
    EXPECT(order.keys() == 2);
  }

  TEST_CASE("any history agrees with a plain map, keys that share a cell included") {
    base::Random random(11);
    for (int run = 0; run < 50; ++run) {
      KeyOrder order;
      std::map<std::uint64_t, Users> model;
      std::vector<Held> held;
      for (int step = 0; step < 2000; ++step) {
        // Hashes whose low bits, by which the table goes, are mostly the same; 0 is one of them.
        const std::uint64_t hash = random.Below(4) << 60 | random.Below(40) << 8;
        if (held.empty() || random.Below(100) < 55) {
          const Access access = random.Below(2) == 0 ? Access::kRead : Access::kWrite;
          Users& users = model[hash];
          const bool free = !users.written && (access == Access::kRead || users.readers == 0);
          REQUIRE(order.TryBegin(hash, access) == free);
          if (!free) continue;
          access == Access::kRead ? ++users.readers : users.written = true;
          held.push_back({hash, access});
        } else {
          const std::size_t i = random.Below(held.size());
          order.End(held[i].hash, held[i].access);
          Users& users = model[held[i].hash];
          held[i].access == Access::kRead ? --users.readers : users.written = false;
          held[i] = held.back();
          held.pop_back();
        }
        std::size_t used = 0;
        for (const auto& [key, users] : model) used += users.readers > 0 || users.written ? 1 : 0;
        REQUIRE(order.keys() == used);
      }
    }
  }
}

}  // namespace
}  // namespace starling::resp
