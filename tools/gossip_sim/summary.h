// tools/gossip_sim/summary.h: many measurements in four numbers.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace starling::gossip_sim {

struct Summary {
  std::size_t count = 0;    // 0: nothing was measured, and the figures mean nothing.
  std::size_t missing = 0;  // That should have been measured, and never came.
  double mean = 0;
  double p50 = 0;
  double p99 = 0;
  double max = 0;
  std::vector<double> samples{};  // Sorted; left out where there are too many to keep.
};

inline Summary Summarize(std::vector<double> samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  double sum = 0;
  for (const double sample : samples) sum += sample;
  // The smallest sample that at least the fraction does not exceed.
  const auto at = [&](double fraction) {
    const double rank = std::ceil(fraction * static_cast<double>(samples.size()));
    return samples[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
  };
  Summary summary{.count = samples.size(),
                  .mean = sum / static_cast<double>(samples.size()),
                  .p50 = at(0.5),
                  .p99 = at(0.99),
                  .max = samples.back()};
  summary.samples = std::move(samples);
  return summary;
}

}  // namespace starling::gossip_sim
