#include "server/wire/messages.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>

namespace starling::wire {

namespace {

constexpr Consistency kLevels[] = {Consistency::kOne, Consistency::kTwo, Consistency::kQuorum,
                                   Consistency::kLocalQuorum, Consistency::kAll};

bool SameInAnyCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::toupper(static_cast<unsigned char>(x)) ==
           std::toupper(static_cast<unsigned char>(y));
  });
}

}  // namespace

std::string_view ConsistencyName(Consistency level) {
  switch (level) {
    case Consistency::kOne: return "ONE";
    case Consistency::kTwo: return "TWO";
    case Consistency::kQuorum: return "QUORUM";
    case Consistency::kLocalQuorum: return "LOCAL_QUORUM";
    case Consistency::kAll: return "ALL";
  }
  return "unknown";
}

base::Result<Consistency> ParseConsistency(std::string_view text) {
  std::string choices;
  for (const Consistency level : kLevels) {
    if (SameInAnyCase(text, ConsistencyName(level))) return level;
    choices += choices.empty() ? "" : ", ";
    choices += ConsistencyName(level);
  }
  return base::Fail(base::InvalidArgument(
      fmt::format("'{}' is not a consistency level: take one of {}", text, choices)));
}

std::uint32_t DeadlineMs(base::Duration left) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(base::ToMs(left), 1, UINT32_MAX));
}

}  // namespace starling::wire
