// base/host_id.h: who a node is: 128 random bits, drawn once for a data directory and never reused.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/status.h"

namespace starling::base {

// Also the identity of a cluster. All zero means "none".
struct HostId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  auto operator<=>(const HostId&) const = default;
  bool empty() const { return high == 0 && low == 0; }

  std::string ToString() const;  // 8-4-4-4-12 hex digits, as operators know them.

  static HostId Draw(Random& random);
  static Result<HostId> Parse(std::string_view text);  // The form of ToString, or InvalidArgument.
};

}  // namespace starling::base
