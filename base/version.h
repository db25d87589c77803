// base/version.h: the stamp that orders the writes of a key. The higher one wins.
//
// 16 bytes: a hybrid timestamp (48 bits of milliseconds, 16 of counter; base/hybrid_clock.h), the
// number of the node that stamped it, and a nonce that counts from a random start at each boot,
// so that no two stamps ever coincide, re-stamps included.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace starling::base {

using NodeNumber = std::uint32_t;  // Given by an epoch, never reused; 0 is nobody.

struct Version {
  std::uint64_t timestamp = 0;  // ms << 16 | counter
  NodeNumber node = 0;
  std::uint32_t nonce = 0;

  auto operator<=>(const Version&) const = default;  // In the order of the fields.

  bool empty() const { return timestamp == 0; }  // "never written"
  std::int64_t wall_ms() const { return static_cast<std::int64_t>(timestamp >> 16); }

  std::string ToString() const;  // "1764000000000.3@2#89abcdef": ms.counter@node#nonce
  static std::optional<Version> Parse(std::string_view text);  // What ToString() gave.

  static constexpr std::size_t kSize = 16;
  void StoreTo(char* at) const;  // kSize bytes, little-endian
  static Version LoadFrom(const char* at);
};

}  // namespace starling::base
