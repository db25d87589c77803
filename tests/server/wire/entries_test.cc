// Goal:   a page of entries is read back as it was packed, and a damaged page is refused.
// Method: RapidCheck draws pages; every truncation of one is unpacked.
#include "server/wire/entries.h"

#include <rapidcheck.h>

#include "server/wire/frame.h"
#include "server/wire/limits.h"
#include "tests/test.h"

namespace starling::wire {
namespace {

std::string PackedPage() {
  std::string page;
  PackEntryTo({.key = "a", .version = {1, 2, 3}, .value_digest = 9, .value = "first"}, page);
  PackEntryTo({.key = "bc", .version = {4, 5, 6}, .flags = 1, .origin = 4, .value = {}}, page);
  return page;
}

TEST_SUITE("server/wire/entries") {
  TEST_CASE("entries come back in their order, with every field") {
    EXPECT(rc::check([](const std::vector<std::pair<std::string, std::string>>& drawn) {
      std::string page;
      std::uint64_t n = 0;
      for (const auto& [key, value] : drawn)
        PackEntryTo({.key = key + "x",
                     .version = {++n, 7, 8},
                     .flags = 2,
                     .origin = 3,
                     .expiry_ms = n * n,
                     .value_digest = ~n,
                     .value = value},
                    page);
      base::Bytes rest = page;
      n = 0;
      for (const auto& [key, value] : drawn) {
        const auto entry = UnpackEntry(rest);
        RC_ASSERT(entry.has_value());
        ++n;
        RC_ASSERT(entry->key == key + "x");
        RC_ASSERT(entry->value == value);
        RC_ASSERT(entry->version == (base::Version{n, 7, 8}));
        RC_ASSERT(entry->flags == 2);
        RC_ASSERT(entry->origin == 3);
        RC_ASSERT(entry->expiry_ms == n * n);
        RC_ASSERT(entry->value_digest == ~n);
      }
      RC_ASSERT(rest.empty());
    }));
  }

  TEST_CASE("a page that is cut short is refused at the entry that misses bytes") {
    const std::string page = PackedPage();
    const std::size_t first = 48 + 1 + 5;
    for (std::size_t size = 1; size < page.size(); ++size) {
      base::Bytes rest = base::Bytes(page).substr(0, size);
      const auto entry = UnpackEntry(rest);
      REQUIRE(entry.has_value() == (size >= first));
      if (!entry || rest.empty()) continue;
      REQUIRE(!UnpackEntry(rest).has_value());
    }
  }

  TEST_CASE("lengths over the limits are refused, and so is an empty key") {
    std::string page = PackedPage();
    base::Bytes rest = page;
    SUBCASE("key") { base::StoreLittle(page.data(), static_cast<std::uint32_t>(kKeyBytesMax + 1)); }
    SUBCASE("empty key") { base::StoreLittle(page.data(), std::uint32_t{0}); }
    SUBCASE("value") { base::StoreLittle(page.data() + 4, std::uint32_t{0xffffffff}); }
    EXPECT(!UnpackEntry(rest).has_value());
    EXPECT(rest.size() == page.size());
  }

  TEST_CASE("what no engine stores is refused") {
    const PackedEntry good{.key = "k", .version = {7, 1, 1}, .value = "v"};
    REQUIRE(CheckEntry(good).ok());
    PackedEntry bad = good;
    SUBCASE("flags") { bad.flags = kEntryFlagsKnown + 1; }
    SUBCASE("no origin") { bad.origin = 0; }
    SUBCASE("origin") { bad.origin = kEntryOriginMax + 1; }
    SUBCASE("expiry") { bad.expiry_ms = kExpiryMsMax + 1; }
    SUBCASE("no version") { bad.version = {}; }
    SUBCASE("no node") { bad.version.node = 0; }
    SUBCASE("timestamp") { bad.version.timestamp = kTimestampMax + 1; }
    EXPECT(CheckEntry(bad).code() == base::Code::kInvalidArgument);
    std::string page;
    PackEntryTo(bad, page);
    base::Bytes rest = page;
    EXPECT(!UnpackEntry(rest).has_value());
  }

  TEST_CASE("the largest entry fits into a frame") {
    const std::string key(kKeyBytesMax, 'k'), value(kValueBytesMax, 'v');
    const PackedEntry largest{.key = key, .version = {7, 1, 1}, .value = value};
    REQUIRE(CheckEntry(largest).ok());
    std::string page;
    PackEntryTo(largest, page);
    EXPECT(page.size() == PackedBytes(largest));
    EXPECT(page.size() <= kPayloadBytesMax);
  }
}

}  // namespace
}  // namespace starling::wire
