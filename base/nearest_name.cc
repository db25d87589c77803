#include "base/nearest_name.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace starling::base {

namespace {

// Edits that may lie between a name and what was probably meant by it.
constexpr std::size_t kEditsMax = 4;

// Levenshtein's, by rows.
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({replaced, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row.back();
}

}  // namespace

std::string_view NearestName(std::string_view name, std::span<const std::string_view> choices) {
  std::string_view best;
  std::size_t distance = kEditsMax + 1;
  for (const std::string_view choice : choices) {
    const std::size_t edits = EditDistance(name, choice);
    if (edits >= distance || edits >= choice.size()) continue;
    best = choice;
    distance = edits;
  }
  return best;
}

}  // namespace starling::base
