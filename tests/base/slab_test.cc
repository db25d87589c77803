// Goal:   an id finds its own object or nothing, whatever was added and removed since.
// Method: cases by hand, then random histories against a std::map.
#include "base/slab.h"

#include <rapidcheck.h>

#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/test.h"

namespace starling::base {
namespace {

struct Buffer {
  std::string bytes;
  void Reset() { bytes.clear(); }
};

bool SlabAgreesWithModel(std::uint64_t seed) {
  Random random(seed);
  Slab<std::uint64_t> slab;
  std::map<std::uint64_t, std::uint64_t> model;
  std::vector<std::uint64_t> ids{0, ~std::uint64_t{0}};
  for (std::uint64_t step = 1; step < 500; ++step) {
    if (random.Chance(0.6)) {
      const auto [id, item] = slab.Add();
      if (*item != 0 || model.contains(id)) return false;
      *item = model[id] = step;
      ids.push_back(id);
    } else {
      const std::uint64_t id = ids[random.Below(ids.size())];
      slab.Remove(id);
      model.erase(id);
    }
    const std::uint64_t probe = ids[random.Below(ids.size())];
    const std::uint64_t* found = slab.Find(probe);
    const auto expected = model.find(probe);
    if ((found == nullptr) != (expected == model.end())) return false;
    if (found != nullptr && *found != expected->second) return false;
    if (slab.size() != model.size()) return false;
  }
  std::size_t visited = 0;
  slab.ForEach([&](std::uint64_t id, std::uint64_t item) { visited += model.at(id) == item; });
  return visited == model.size();
}

TEST_SUITE("base/slab") {
  TEST_CASE("an id finds its object until it is removed") {
    Slab<int> slab;
    const auto [id, item] = slab.Add();
    EXPECT(id != 0);
    *item = 42;
    REQUIRE(slab.Find(id) == item);
    slab.Remove(id);
    EXPECT(slab.Find(id) == nullptr);
    EXPECT(slab.size() == 0);
  }

  TEST_CASE("a slot used again has another id, and the old one stays stale") {
    Slab<int> slab;
    const std::uint64_t first = slab.Add().first;
    slab.Remove(first);
    const auto [second, item] = slab.Add();
    EXPECT(first != second);
    EXPECT(slab.Find(first) == nullptr);
    slab.Remove(first);
    EXPECT(slab.Find(second) == item);
  }

  TEST_CASE("ids that were never given find nothing") {
    Slab<int> slab;
    slab.Add();
    EXPECT(slab.Find(0) == nullptr);
    EXPECT(slab.Find(1) == nullptr);
    EXPECT(slab.Find(~std::uint64_t{0}) == nullptr);
    slab.Remove(0);
    EXPECT(slab.size() == 1);
  }

  TEST_CASE("objects stay where they are while the slab grows") {
    Slab<int> slab;
    const auto [id, item] = slab.Add();
    for (int i = 0; i < 1000; ++i) slab.Add();
    EXPECT(slab.Find(id) == item);
  }

  TEST_CASE("a type with Reset keeps what Reset keeps; others start anew") {
    Slab<Buffer> buffers;
    auto [id, buffer] = buffers.Add();
    buffer->bytes.assign(4096, 'x');
    buffers.Remove(id);
    EXPECT(buffers.Add().second->bytes.empty());
    EXPECT(buffer->bytes.capacity() >= 4096);

    Slab<std::unique_ptr<int>> owners;
    const auto [owner_id, owner] = owners.Add();
    *owner = std::make_unique<int>(1);
    owners.Remove(owner_id);
    EXPECT(*owners.Add().second == nullptr);
  }

  TEST_CASE("a walk goes in the order of slots and may remove as it goes") {
    Slab<int> slab;
    std::vector<std::uint64_t> added;
    for (int i = 0; i < 200; ++i) {
      added.push_back(slab.Add().first);
      *slab.Find(added.back()) = i;
    }
    std::vector<int> seen;
    slab.ForEach([&](std::uint64_t id, int item) {
      seen.push_back(item);
      slab.Remove(id);
    });
    EXPECT(seen.size() == 200);
    EXPECT(std::is_sorted(seen.begin(), seen.end()));
    EXPECT(slab.size() == 0);
  }

  TEST_CASE("any history agrees with a map") {
    EXPECT(rc::check([](std::uint64_t seed) { RC_ASSERT(SlabAgreesWithModel(seed)); }));
  }
}

}  // namespace
}  // namespace starling::base
