// Goal:   what a node says of itself comes out as it went in; what it did not say is not made up.
// Method: round trips, and bytes of other lengths.
#include "server/node_metadata.h"

#include <limits>

#include "tests/test.h"

namespace starling::server {
namespace {

TEST_SUITE("server/node_metadata") {
  TEST_CASE(
      "metadata: epoch and readiness, in nine bytes; more of a later release is passed over") {
    const std::string bytes = EncodeMetadata({.epoch = 1ULL << 40 | 7, .ready = true});
    EXPECT(bytes.size() == 9);
    for (const std::string& said : {bytes, bytes + "more"}) {
      EXPECT(ParseMetadata(said).epoch == (1ULL << 40 | 7));
      EXPECT(ParseMetadata(said).ready);
    }
    EXPECT(!ParseMetadata(EncodeMetadata({.epoch = 3, .ready = false})).ready);
  }

  TEST_CASE("metadata: a full disk in a tenth byte, which others do not have") {
    const std::string full = EncodeMetadata({.epoch = 7, .ready = true, .disk_full = true});
    EXPECT(full.size() == 10);
    EXPECT(ParseMetadata(full).disk_full);
    EXPECT(ParseMetadata(full).ready);
    EXPECT(!ParseMetadata(full.substr(0, 9)).disk_full);
  }

  TEST_CASE("metadata that is cut says neither epoch nor readiness") {
    const std::string bytes = EncodeMetadata({.epoch = 7, .ready = true});
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT(ParseMetadata(bytes.substr(0, size)).epoch == 0);
      EXPECT(!ParseMetadata(bytes.substr(0, size)).ready);
    }
  }

  TEST_CASE("vitals: any load, in as few bytes as it has") {
    const std::pair<std::int64_t, std::size_t> loads[] = {
        {0, 1},          {1, 1},
        {255, 1},        {256, 2},
        {50'000'000, 4}, {1LL << 39, 5},
        {1LL << 40, 6},  {std::numeric_limits<std::int64_t>::max(), 8}};
    for (const auto& [load, size] : loads) {
      const std::string bytes = EncodeVitals({load});
      EXPECT(bytes.size() == size);
      const std::optional<NodeVitals> vitals = ParseVitals(bytes);
      REQUIRE(vitals.has_value());
      EXPECT(vitals->load_bytes == load);
    }
  }

  TEST_CASE("vitals that are none of ours are no load") {
    EXPECT(!ParseVitals("").has_value());
    EXPECT(!ParseVitals("nine byte").has_value());
    EXPECT(!ParseVitals(std::string(8, '\xff')).has_value());  // Below zero.
  }
}

}  // namespace
}  // namespace starling::server
