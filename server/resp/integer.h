// server/resp/integer.h: integers as Redis writes and reads them.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <system_error>

#include "base/bytes.h"

namespace starling::resp {

// Digits, with a '-' in front or not; no '+', no space, no leading zero, as Redis has it. nullopt:
// anything else, or more than 64 bits.
inline std::optional<std::int64_t> ParseInteger(base::Bytes text) {
  const base::Bytes digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty()) return std::nullopt;
  if (digits.front() == '0' && text.size() > 1) return std::nullopt;  // "-0" as well.
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace starling::resp
