// server/resp/pattern.cc: patterns such as CONFIG GET takes.
#include <cctype>
#include <optional>

#include "server/resp/answers.h"

namespace starling::resp {
namespace {

int Fold(char c) { return std::tolower(static_cast<unsigned char>(c)); }

// Matches `c` against the set whose '[' is at `at`; leaves `at` behind its ']'. As in Redis, a set
// that is not closed ends with the pattern.
bool MatchesSet(base::Bytes pattern, std::size_t* at, char c) {
  std::size_t i = *at + 1;
  const bool inverted = i < pattern.size() && pattern[i] == '^';
  if (inverted) ++i;
  bool found = false;
  for (; i < pattern.size() && pattern[i] != ']'; ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    int low = Fold(pattern[i]);
    int high = low;
    if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
      high = Fold(pattern[i + 2]);
      i += 2;
    }
    if (low > high) std::swap(low, high);
    found = found || (Fold(c) >= low && Fold(c) <= high);
  }
  *at = std::min(i + 1, pattern.size());
  return found != inverted;
}

// One character against what stands at `at`, which is left behind it.
bool MatchesOne(base::Bytes pattern, std::size_t* at, char c) {
  if (pattern[*at] == '[') return MatchesSet(pattern, at, c);
  if (pattern[*at] == '?') {
    ++*at;
    return true;
  }
  if (pattern[*at] == '\\' && *at + 1 < pattern.size()) ++*at;
  return Fold(pattern[(*at)++]) == Fold(c);
}

}  // namespace

// Goes back to the last '*' only: one text of n and a pattern of m characters cost n·m at most.
bool MatchesPattern(base::Bytes pattern, base::Bytes text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::optional<std::pair<std::size_t, std::size_t>> star;  // Behind it, and where it ended so far.
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = {++p, t};
      continue;
    }
    if (p < pattern.size() && MatchesOne(pattern, &p, text[t])) {
      ++t;
      continue;
    }
    if (!star) return false;
    t = ++star->second;
    p = star->first;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace starling::resp
