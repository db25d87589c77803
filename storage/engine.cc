#include "storage/engine.h"

#include <fmt/core.h>

#include "base/check.h"

namespace starling::storage {
namespace {

struct OneSink final : GetSink {
  void OnFound(std::size_t, Found found, base::Bytes value, const base::Status& error) override {
    if (found == Found::kValue)
      result = std::string(value);
    else if (found == Found::kError)
      result = base::Fail(error);
  }
  base::Result<std::string> result = base::Fail(base::NotFound("no such key"));
};

}  // namespace

void CheckSorted(std::span<const std::span<const SortedEntry>> tables) {
  const SortedEntry* last = nullptr;
  for (const std::span<const SortedEntry> table : tables) {
    CHECK(!table.empty());
    for (const SortedEntry& entry : table) {
      CHECK(last == nullptr || last->key < entry.key);
      last = &entry;
    }
  }
}

base::Result<std::string> GetOne(Engine& engine, Family family, base::Bytes key) {
  OneSink sink;
  engine.Get(family, {&key, 1}, Tier::kAll, sink);
  return std::move(sink.result);
}

}  // namespace starling::storage
