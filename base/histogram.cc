#include "base/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"

namespace starling::base {

Histogram::Histogram(unsigned bits) : bits_(bits) {
  CHECK(bits >= 1);
  CHECK(bits <= 16);
}

// With shift = how many low bits are dropped: the top bits_ + 1 bits of a large value lie in
// [2^bits, 2^(bits+1)), so buckets of successive shifts follow each other without a gap.
std::size_t Histogram::IndexOf(std::uint64_t value) const {
  const auto width = static_cast<unsigned>(std::bit_width(value));
  const unsigned shift = width > bits_ + 1 ? width - bits_ - 1 : 0;
  return (static_cast<std::size_t>(shift) << bits_) + static_cast<std::size_t>(value >> shift);
}

std::uint64_t Histogram::LowestAt(std::size_t index) const {
  const std::size_t octave = index >> bits_;
  const std::size_t shift = octave > 1 ? octave - 1 : 0;
  return static_cast<std::uint64_t>(index - (shift << bits_)) << shift;
}

std::uint64_t Histogram::HighestAt(std::size_t index) const {
  const std::size_t octave = index >> bits_;
  const std::size_t shift = octave > 1 ? octave - 1 : 0;
  return LowestAt(index) + ((std::uint64_t{1} << shift) - 1);
}

void Histogram::Count(std::size_t index, std::uint64_t times) {
  if (index >= counts_.size()) counts_.resize(index + 1);
  counts_[index] += times;
  count_ += times;
}

void Histogram::Record(std::uint64_t value, std::uint64_t times) {
  if (times == 0) return;
  Count(IndexOf(value), times);
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
  sum_ += static_cast<Uint128>(value) * times;
}

// Buckets never reach across a power of two.
std::uint64_t Histogram::CountBelow(unsigned bit) const {
  const std::size_t end = std::min(IndexOf(std::uint64_t{1} << bit), counts_.size());
  std::uint64_t below = 0;
  for (std::size_t index = 0; index < end; ++index) below += counts_[index];
  return below;
}

void Histogram::RecordCorrected(std::uint64_t value, std::uint64_t expected_interval) {
  Record(value);
  if (expected_interval == 0 || value < expected_interval) return;
  // A bucket at a time, not a value at a time: a pause may have left out billions.
  std::uint64_t missing = value - expected_interval;
  while (missing >= expected_interval) {
    const std::size_t index = IndexOf(missing);
    const std::uint64_t lowest = std::max(LowestAt(index), expected_interval);
    const std::uint64_t steps = (missing - lowest) / expected_interval;  // Beside the first.
    const std::uint64_t last = missing - steps * expected_interval;
    Count(index, steps + 1);
    sum_ += (static_cast<Uint128>(missing) + last) * (steps + 1) / 2;
    min_ = std::min(min_, last);
    missing = last - expected_interval;
  }
}

void Histogram::Merge(const Histogram& other) {
  CHECK(bits_ == other.bits_);
  if (counts_.size() < other.counts_.size()) counts_.resize(other.counts_.size());
  for (std::size_t i = 0; i < other.counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
}

void Histogram::Clear() {
  std::fill(counts_.begin(), counts_.end(), 0);
  count_ = 0;
  min_ = UINT64_MAX;
  max_ = 0;
  sum_ = 0;
}

std::uint64_t Histogram::Percentile(double percent) const {
  if (count_ == 0) return 0;
  // The small step down: 99.9 % of 1000 is 999, whatever binary fractions make of it.
  const double share = std::clamp(percent, 0.0, 100.0) * (1 - 1e-12) / 100.0;
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  const std::uint64_t rank = std::clamp(wanted, std::uint64_t{1}, count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= rank) return std::min(HighestAt(i), max_);
  }
  return max_;
}

double Histogram::mean() const {
  return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
}

}  // namespace starling::base
