// base/histogram.h: how values are spread, with a bounded relative error and O(1) a value.
//
// Log-linear, as HdrHistogram: values below 2^bits are counted exactly; above, each power of two
// is cut into 2^bits equal buckets, so a percentile is at most 2^-bits too high (default 0.8 %).
// The unit is the caller's. Memory grows to the highest value seen, 58 KiB at most by default.
//
// Thread:    confined to one thread; give each its own and Merge.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/random.h"

namespace starling::base {

class Histogram {
 public:
  static constexpr unsigned kDefaultBits = 7;

  // `bits`: each more halves the error and doubles the memory. REQUIRES: 1 <= bits <= 16.
  explicit Histogram(unsigned bits = kDefaultBits);

  void Record(std::uint64_t value, std::uint64_t times = 1);

  // For a closed loop that should have sent every `expected_interval`: while it waited `value`
  // for this answer, requests were left out that would have waited value - interval, value - 2
  // intervals, ... They are recorded too (coordinated omission). Interval 0: as Record.
  void RecordCorrected(std::uint64_t value, std::uint64_t expected_interval);

  // Adds all that `other` counted. REQUIRES: the same bits.
  void Merge(const Histogram& other);
  void Clear();

  // The smallest bucket edge that at least `percent` % of values do not exceed, and never more
  // than max(); 0 when empty. Percent is clamped to [0, 100].
  std::uint64_t Percentile(double percent) const;

  // How many values are below 2^`bit`, exactly.
  std::uint64_t CountBelow(unsigned bit) const;

  std::uint64_t count() const { return count_; }
  std::uint64_t min() const { return count_ == 0 ? 0 : min_; }
  std::uint64_t max() const { return max_; }
  double mean() const;  // Exact; 0 when empty.

 private:
  std::size_t IndexOf(std::uint64_t value) const;
  std::uint64_t LowestAt(std::size_t index) const;
  std::uint64_t HighestAt(std::size_t index) const;
  void Count(std::size_t index, std::uint64_t times);

  unsigned bits_;
  std::vector<std::uint64_t> counts_;  // Up to the highest bucket used.
  std::uint64_t count_ = 0;
  std::uint64_t min_ = UINT64_MAX;
  std::uint64_t max_ = 0;
  Uint128 sum_ = 0;
};

}  // namespace starling::base
