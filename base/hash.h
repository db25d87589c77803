// base/hash.h: XXH3, the one hash function of tokens, digests and checksums.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace starling::base {

struct Hash128Value {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const Hash128Value&) const = default;
};

std::uint64_t Hash64(Bytes bytes, std::uint64_t seed = 0);
Hash128Value Hash128(Bytes bytes, std::uint64_t seed = 0);

}  // namespace starling::base
