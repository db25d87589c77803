// Goal:   no more is open than there is room for, and what nobody asks for goes.
// Method: a table over a share of memory, by hand.
#include "server/open_values.h"

#include <atomic>
#include <string>

#include "tests/client/fake_world.h"
#include "tests/test.h"

namespace starling::server {
namespace {

constexpr std::uint64_t kLargest = 16 << 20;

OpenValues::Id IdOf(const std::string& key) { return {1, key, {7, 1, 1}, 42}; }

struct Table {
  explicit Table(std::uint64_t memory_bytes) : memory(world, memory_bytes, 1, mail) {}
  bool Put(const std::string& key, std::uint64_t bytes) {
    if (!values.Begin(IdOf(key), bytes)) return false;
    values.Open(IdOf(key), key, world.Now());
    return true;
  }
  const std::string* Find(const std::string& key) { return values.Find(IdOf(key), world.Now()); }
  void Pass(base::Duration time) {
    world.Advance(time);
    values.OnTick(world.Now());
  }

  client::FakeWorld world;
  std::atomic<std::uint64_t> mail{0};
  MemoryShare memory;
  OpenValues values{memory};
};

TEST_SUITE("server/open_values") {
  TEST_CASE("two of the largest are open at a time, and a third finds room once one is closed") {
    Table table(256 << 20);
    EXPECT(table.Put("a", kLargest));
    EXPECT(table.Put("b", kLargest));
    EXPECT(!table.Put("c", kLargest));
    EXPECT(!table.Put("c", 1));
    EXPECT(table.memory.held() == 2 * kLargest);
    table.values.Close(IdOf("a"));
    EXPECT(table.memory.held() == kLargest);
    EXPECT(table.Put("c", kLargest));
    EXPECT(table.Find("a") == nullptr);
    EXPECT(*table.Find("b") == "b");
    EXPECT(*table.Find("c") == "c");
  }

  TEST_CASE("while clients fill their memory nothing is opened") {
    Table table(64 << 20);
    table.memory.Take(60 << 20);
    EXPECT(!table.Put("a", kLargest));
    table.memory.Give(60 << 20);
    EXPECT(table.Put("a", kLargest));
  }

  TEST_CASE("what is being read is not open, not read twice, and not closed for idleness") {
    Table table(256 << 20);
    REQUIRE(table.values.Begin(IdOf("a"), 100));
    EXPECT(table.Find("a") == nullptr);
    EXPECT(!table.values.Begin(IdOf("a"), 100));
    table.Pass(base::seconds(60));
    EXPECT(table.values.bytes() == 100);
    table.values.Open(IdOf("a"), "value", table.world.Now());
    EXPECT(*table.Find("a") == "value");
  }

  TEST_CASE("what nobody has asked for in a while is closed") {
    Table table(256 << 20);
    REQUIRE(table.Put("a", 100));
    REQUIRE(table.Put("b", 100));
    table.Pass(base::seconds(9));
    EXPECT(table.Find("a") != nullptr);
    table.Pass(base::seconds(2));
    EXPECT(table.Find("a") != nullptr);
    EXPECT(table.Find("b") == nullptr);
    EXPECT(table.memory.held() == 100);
  }

  TEST_CASE("another version, or another value under the same one, is another value") {
    Table table(256 << 20);
    REQUIRE(table.Put("a", 100));
    OpenValues::Id id = IdOf("a");
    id.version.nonce = 2;
    EXPECT(table.values.Find(id, table.world.Now()) == nullptr);
    id = IdOf("a");
    id.value_digest = 43;
    EXPECT(table.values.Find(id, table.world.Now()) == nullptr);
  }
}

}  // namespace
}  // namespace starling::server
