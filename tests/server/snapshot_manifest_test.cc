// Goal:   what a manifest says is read back as it was, and what is no manifest is told apart.
// Method: one manifest to text and back; then each field taken away, and some made wrong.
#include "server/snapshot_manifest.h"

#include <nlohmann/json.hpp>

#include "tests/test.h"

namespace starling::server {
namespace {

SnapshotManifest Example() {
  SnapshotManifest manifest{.name = "before-upgrade",
                            .created_ms = 1'700'000'000'000,
                            .cluster_name = "orders",
                            .cluster_id = {1, 2},
                            .token_seed = ~std::uint64_t{0},
                            .epoch = 7};
  manifest.node.host = {3, 4};
  manifest.node.number = 2;
  manifest.node.cluster = *base::ParseAddress("127.0.0.2:7700");
  manifest.node.dc = "dc1";
  manifest.node.rack = "r1";
  manifest.node.tokens = {0, 4096};
  manifest.keyspaces.push_back({.id = 1,
                                .name = "default",
                                .replication = "simple:3",
                                .ranges = {{0, 4095}, {8192, 65535}},
                                .digest = {5, ~std::uint64_t{0}, 6}});
  return manifest;
}

TEST_SUITE("server/snapshot_manifest") {
  TEST_CASE("to JSON and back it is the same") {
    const SnapshotManifest made = Example();
    const auto read = ParseManifest(ToJson(made));
    REQUIRE(read.has_value());
    EXPECT(ToJson(*read) == ToJson(made));
    EXPECT(read->cluster_id == made.cluster_id);
    EXPECT(read->token_seed == made.token_seed);
    EXPECT(read->node.tokens == made.node.tokens);
    REQUIRE(read->keyspaces.size() == 1);
    EXPECT(read->keyspaces[0].digest == made.keyspaces[0].digest);
    EXPECT(read->keyspaces[0].ranges == made.keyspaces[0].ranges);
  }

  TEST_CASE("a field that is missing is named") {
    const auto whole = nlohmann::json::parse(ToJson(Example()));
    for (const auto& item : whole.items()) {
      const std::string& field = item.key();
      auto damaged = whole;
      damaged.erase(field);
      const auto read = ParseManifest(damaged.dump());
      DOCTEST_INFO(field);
      REQUIRE(!read.has_value());
      EXPECT(read.error().code() == base::Code::kCorruption);
      EXPECT(read.error().message().find(field) != std::string::npos);
    }
  }

  TEST_CASE("no byte of it may change, unless damage is skipped") {
    const std::string whole = ToJson(Example());
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x01);
      DOCTEST_INFO(at);
      const auto read = ParseManifest(damaged);
      REQUIRE(!read.has_value());
    }
    EXPECT(ParseManifest(whole + " ").error().code() == base::Code::kCorruption);
    std::string later = whole;
    later[later.find("1700000000000")] = '2';
    EXPECT(ParseManifest(later).error().code() == base::Code::kCorruption);
    EXPECT(ParseManifest(later, Damaged::kSkip)->created_ms == 2'700'000'000'000);
  }

  TEST_CASE("what is malformed is Corruption, what is newer FailedPrecondition") {
    EXPECT(ParseManifest("").error().code() == base::Code::kCorruption);
    EXPECT(ParseManifest("[]").error().code() == base::Code::kCorruption);
    auto json = nlohmann::json::parse(ToJson(Example()));
    auto with = [&](const char* path, const nlohmann::json& value) {
      auto changed = json;
      changed[nlohmann::json::json_pointer(path)] = value;
      return ParseManifest(changed.dump()).error().code();
    };
    EXPECT(with("/format", 2) == base::Code::kFailedPrecondition);
    EXPECT(with("/epoch", 1e30) == base::Code::kCorruption);
    EXPECT(with("/epoch", -1) == base::Code::kCorruption);
    EXPECT(with("/node/number", std::uint64_t{1} << 40) == base::Code::kCorruption);
    EXPECT(with("/node/tokens/0", 0.5) == base::Code::kCorruption);
    EXPECT(with("/keyspaces/0/ranges/0", "0001-0000") == base::Code::kCorruption);
    EXPECT(with("/keyspaces/0/ranges/0", "1-2") == base::Code::kCorruption);
    EXPECT(with("/keyspaces/0/digest", "xyz") == base::Code::kCorruption);
    EXPECT(with("/keyspaces/0/digest", std::string(32, 'g')) == base::Code::kCorruption);
  }
}

}  // namespace
}  // namespace starling::server
