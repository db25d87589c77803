// tests/server/quorum_answers.h: levels, and every way in which replicas may answer.
//
// Thread: free functions.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "server/quorum.h"

namespace starling::server {

inline constexpr std::array<wire::Consistency, 5> kLevels{
    wire::Consistency::kOne, wire::Consistency::kTwo, wire::Consistency::kQuorum,
    wire::Consistency::kLocalQuorum, wire::Consistency::kAll};

inline ReplicaMask FirstOf(int replicas) { return (ReplicaMask{1} << replicas) - 1; }

// One datacenter: all replicas are local.
inline Requirement Need(wire::Consistency level, int replicas) {
  return RequirementOf(level, FirstOf(replicas), FirstOf(replicas));
}

// Calls visit(letters) for every combination of `alphabet` over `replicas` replicas.
template <typename Visit>
void ForAllAnswers(int replicas, std::string_view alphabet, Visit&& visit) {
  std::vector<std::size_t> digits(static_cast<std::size_t>(replicas), 0);
  std::string letters(static_cast<std::size_t>(replicas), alphabet[0]);
  for (;;) {
    visit(letters);
    std::size_t at = 0;
    while (at < digits.size() && ++digits[at] == alphabet.size()) digits[at++] = 0;
    if (at == digits.size()) return;
    for (std::size_t i = 0; i < digits.size(); ++i) letters[i] = alphabet[digits[i]];
  }
}

inline int CountIn(std::string_view letters, char letter) {
  return static_cast<int>(std::count(letters.begin(), letters.end(), letter));
}

}  // namespace starling::server
