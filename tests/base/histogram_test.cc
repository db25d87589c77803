// Goal:   percentiles within the promised error; correction counts what a stalled loop left out.
// Method: laws against a sorted list of the same values, and the definition done slowly.
#include "base/histogram.h"

#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "tests/test.h"

namespace starling::base {
namespace {

// Values of all magnitudes, as latencies are.
std::vector<std::uint64_t> Draw(Random& random, std::size_t count) {
  std::vector<std::uint64_t> values(count);
  for (auto& value : values) value = random.Next() >> random.Below(64);
  return values;
}

Histogram Of(const std::vector<std::uint64_t>& values, unsigned bits = Histogram::kDefaultBits) {
  Histogram histogram(bits);
  for (const std::uint64_t value : values) histogram.Record(value);
  return histogram;
}

bool Same(const Histogram& a, const Histogram& b) {
  bool same =
      a.count() == b.count() && a.min() == b.min() && a.max() == b.max() && a.mean() == b.mean();
  for (int percent = 0; percent <= 100; ++percent)
    same = same && a.Percentile(percent) == b.Percentile(percent);
  return same;
}

TEST_SUITE("base/histogram") {
  TEST_CASE("what is below a power of two is counted exactly") {
    for (const unsigned bits : {1U, 3U, 7U}) {
      Histogram histogram(bits);
      for (const std::uint64_t value : {0, 1, 63, 64, 127, 128, 1000, 1024, 5000})
        histogram.Record(value);
      EXPECT(histogram.CountBelow(0) == 1);
      EXPECT(histogram.CountBelow(6) == 3);
      EXPECT(histogram.CountBelow(7) == 5);
      EXPECT(histogram.CountBelow(10) == 7);
      EXPECT(histogram.CountBelow(40) == 9);
    }
    EXPECT(Histogram().CountBelow(10) == 0);
  }

  TEST_CASE("an empty histogram is all zero") {
    const Histogram empty;
    EXPECT(empty.count() == 0);
    EXPECT(empty.min() == 0);
    EXPECT(empty.max() == 0);
    EXPECT(empty.mean() == 0);
    EXPECT(empty.Percentile(99) == 0);
  }

  TEST_CASE("small values are exact") {
    Histogram histogram;
    for (std::uint64_t value = 0; value < 256; ++value) histogram.Record(value);
    for (std::uint64_t value = 0; value < 256; ++value)
      EXPECT(histogram.Percentile(100.0 * static_cast<double>(value + 1) / 256) == value);
  }

  TEST_CASE("percentiles fall on ranks: 99.9 % of 1000 values is the 999th") {
    Histogram histogram(14);
    for (std::uint64_t value = 1; value <= 1000; ++value) histogram.Record(value);
    EXPECT(histogram.Percentile(0) == 1);
    EXPECT(histogram.Percentile(50) == 500);
    EXPECT(histogram.Percentile(99.9) == 999);
    EXPECT(histogram.Percentile(100) == 1000);
    EXPECT(histogram.Percentile(-3) == 1);
    EXPECT(histogram.Percentile(300) == 1000);
  }

  TEST_CASE("the largest values fit") {
    Histogram histogram;
    histogram.Record(UINT64_MAX, 3);
    histogram.Record(0, 0);
    EXPECT(histogram.count() == 3);
    EXPECT(histogram.Percentile(50) == UINT64_MAX);
    EXPECT(histogram.mean() == static_cast<double>(UINT64_MAX));
  }

  TEST_CASE("a stall counts the requests that it held back") {
    Histogram histogram;
    histogram.RecordCorrected(100, 10);
    EXPECT(histogram.count() == 10);  // 100, 90, ..., 10
    EXPECT(histogram.min() == 10);
    EXPECT(histogram.mean() == 55);
    SUBCASE("an answer within two intervals held back none") {
      histogram.Clear();
      histogram.RecordCorrected(19, 10);
      EXPECT(histogram.count() == 1);
    }
    SUBCASE("without an interval nothing is corrected") {
      histogram.Clear();
      histogram.RecordCorrected(1000, 0);
      EXPECT(histogram.count() == 1);
    }
    SUBCASE("billions at once take no time") {
      histogram.Clear();
      histogram.RecordCorrected(10'000'000'000, 1);
      EXPECT(histogram.count() == 10'000'000'000);
    }
  }

  TEST_CASE("law: a percentile is not below the true one, and at most 2^-bits above") {
    EXPECT(rc::check([](std::uint64_t seed) {
      Random random(seed);
      const auto bits = static_cast<unsigned>(random.Between(1, 12));
      auto values = Draw(random, 1 + random.Below(300));
      const Histogram histogram = Of(values, bits);
      std::sort(values.begin(), values.end());
      for (const double percent : {0.0, 1.0, 25.0, 50.0, 90.0, 99.0, 100.0}) {
        const double rank = std::ceil(percent / 100 * static_cast<double>(values.size()) - 1e-6);
        const std::uint64_t truth = values[rank < 1 ? 0 : static_cast<std::size_t>(rank) - 1];
        const std::uint64_t got = histogram.Percentile(percent);
        RC_ASSERT(got >= truth);
        RC_ASSERT(got - truth <= truth >> bits);
      }
      RC_ASSERT(histogram.min() == values.front());
      RC_ASSERT(histogram.max() == values.back());
    }));
  }

  TEST_CASE("law: merging is recording everything in one") {
    EXPECT(rc::check([](std::uint64_t seed) {
      Random random(seed);
      auto values = Draw(random, random.Below(100));
      const auto others = Draw(random, random.Below(100));
      Histogram merged = Of(values);
      merged.Merge(Of(others));
      values.insert(values.end(), others.begin(), others.end());
      RC_ASSERT(Same(merged, Of(values)));
    }));
  }

  TEST_CASE("law: correction is its definition, done a bucket at a time") {
    EXPECT(rc::check([](std::uint64_t seed) {
      Random random(seed);
      const std::uint64_t interval = 1 + random.Below(1000);
      const std::uint64_t value = random.Below(1'000'000);
      Histogram fast, slow;
      fast.RecordCorrected(value, interval);
      slow.Record(value);
      for (std::uint64_t left_out = value; left_out >= 2 * interval;)
        slow.Record(left_out -= interval);
      RC_ASSERT(Same(fast, slow));
    }));
  }
}

}  // namespace
}  // namespace starling::base
