// Goal:   operations, keys and values come as the workload and the distribution say.
//
// Method: many draws with fixed seeds, against the shares that the definitions give.
#include "tools/stress/workload.h"

#include <cmath>
#include <map>
#include <vector>

#include "tests/test.h"

namespace starling::stress {
namespace {

constexpr int kDraws = 200'000;

std::map<std::uint64_t, int> DrawMany(Distribution distribution, std::uint64_t records,
                                      int draws = kDraws) {
  KeyChooser keys(distribution, records);
  base::Random random(7);
  std::map<std::uint64_t, int> drawn;
  for (int i = 0; i < draws; ++i) ++drawn[keys.Next(random)];
  return drawn;
}

// The probability of `rank` by the definition.
double ZipfShare(std::uint64_t rank, std::uint64_t items) {
  double sum = 0;
  for (std::uint64_t i = 1; i <= items; ++i) sum += std::pow(1.0 / static_cast<double>(i), 0.99);
  return std::pow(1.0 / static_cast<double>(rank + 1), 0.99) / sum;
}

TEST_SUITE("stress/workload") {
  TEST_CASE("each workload has its share of reads") {
    const std::map<std::string, double> reads = {
        {"a", 0.5},   {"b", 0.95},    {"c", 1},          {"f", 0.5},       {"read", 1},
        {"write", 0}, {"mixed:0", 0}, {"mixed:30", 0.3}, {"mixed:100%", 1}};
    for (const auto& [name, share] : reads) {
      const auto mix = ParseWorkload(name);
      REQUIRE(mix.has_value());
      EXPECT(mix->reads == doctest::Approx(share));
      EXPECT(mix->read_modify_write == (name == "f"));
    }
  }

  TEST_CASE("what is no workload and no distribution is refused by name") {
    for (const char* text : {"", "d", "A", "mixed", "mixed:", "mixed:101", "mixed:-1", "mixed:5x",
                             "mixed:%", "writes"}) {
      const auto mix = ParseWorkload(text);
      REQUIRE(!mix.has_value());
      EXPECT(mix.error().message().find("'" + std::string(text) + "'") != std::string::npos);
    }
    for (const char* text : {"", "zipf", "latest", "Uniform"}) {
      const auto distribution = ParseDistribution(text);
      REQUIRE(!distribution.has_value());
      EXPECT(distribution.error().message().find("sequential") != std::string::npos);
    }
  }

  TEST_CASE("uniform: each record as often as any other") {
    const auto drawn = DrawMany(Distribution::kUniform, 100);
    REQUIRE(drawn.size() == 100);
    for (const auto& [record, count] : drawn) {
      EXPECT(record < 100);
      EXPECT(count == doctest::Approx(kDraws / 100.0).epsilon(0.15));  // Six deviations.
    }
  }

  TEST_CASE("sequential: each record in its turn, and from the start again") {
    KeyChooser keys(Distribution::kSequential, 3);
    base::Random random(1);
    std::vector<std::uint64_t> drawn;
    for (int i = 0; i < 7; ++i) drawn.push_back(keys.Next(random));
    EXPECT(drawn == std::vector<std::uint64_t>{0, 1, 2, 0, 1, 2, 0});
  }

  TEST_CASE("zipfian: ranks are as frequent as the law says") {
    constexpr std::uint64_t kItems = 1000;
    const Zipfian zipfian(kItems);
    base::Random random(11);
    std::vector<int> drawn(kItems);
    for (int i = 0; i < kDraws; ++i) {
      const std::uint64_t rank = zipfian.Draw(random);
      REQUIRE(rank < kItems);
      ++drawn[rank];
    }
    for (const std::uint64_t rank : {0U, 1U})  // Exact in Gray's method; the rest is an integral.
      EXPECT(drawn[rank] == doctest::Approx(kDraws * ZipfShare(rank, kItems)).epsilon(0.03));
    int top = 0;
    double share = 0;
    for (std::uint64_t rank = 0; rank < 100; ++rank) {
      top += drawn[rank];
      share += ZipfShare(rank, kItems);
    }
    EXPECT(top == doctest::Approx(kDraws * share).epsilon(0.05));
    for (const std::uint64_t items : {1U, 2U, 3U}) {
      const Zipfian few(items);
      for (int i = 0; i < 1000; ++i) REQUIRE(few.Draw(random) < items);
    }
  }

  TEST_CASE("zipfian: a sum that is cut off at a million items is no other") {
    // The share of rank 0 is 1 / zeta(n), known to six digits for two billion items: the sum of the
    // first million, and the integral of the rest.
    base::Random random(3);
    const Zipfian huge(2'000'000'000);
    int first = 0;
    for (int i = 0; i < kDraws; ++i) first += huge.Draw(random) == 0 ? 1 : 0;
    double zeta = 0;
    for (int i = 1; i <= 1'000'000; ++i) zeta += std::pow(i, -0.99);
    zeta += (std::pow(2e9, 0.01) - std::pow(1e6, 0.01)) / 0.01;
    EXPECT(first == doctest::Approx(kDraws / zeta).epsilon(0.05));
  }

  TEST_CASE("zipfian: popular records are spread over the key space") {
    const auto drawn = DrawMany(Distribution::kZipfian, 10'000);
    std::multimap<int, std::uint64_t, std::greater<>> by_count;
    for (const auto& [record, count] : drawn) by_count.emplace(count, record);
    int low = 0;
    auto popular = by_count.begin();
    for (int i = 0; i < 20; ++i, ++popular) low += popular->second < 5000 ? 1 : 0;
    EXPECT(low > 2);
    EXPECT(low < 18);
  }

  TEST_CASE("the same seed draws the same records") {
    for (const auto distribution : {Distribution::kUniform, Distribution::kZipfian})
      EXPECT(DrawMany(distribution, 1000, 2000) == DrawMany(distribution, 1000, 2000));
  }

  TEST_CASE("a value has its size and tells its id; another text tells none") {
    std::string value;
    for (const std::size_t size : {std::size_t{16}, std::size_t{17}, std::size_t{100'000}}) {
      WriteValueTo(0x00000a000000000bULL, size, value);
      EXPECT(value.size() == size);
      EXPECT(IdOf(value) == 0x00000a000000000bULL);
    }
    WriteValueTo(5, 3, value);
    EXPECT(value.size() == 3);
    for (const char* text : {"", "short", "not hexadecimal at all", "0x0000000000000001"})
      EXPECT(IdOf(text) == 0);
  }

  TEST_CASE("keys sort as their records do") {
    EXPECT(KeyOf(0) == "user0000000000");
    EXPECT(KeyOf(1'999'999'999) == "user1999999999");
  }
}

}  // namespace
}  // namespace starling::stress
