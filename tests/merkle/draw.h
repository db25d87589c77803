// tests/merkle/draw.h: what tests of trees draw.
#pragma once

#include "base/place.h"
#include "base/random.h"
#include "merkle/digest.h"

namespace starling::merkle {

inline constexpr base::KeyspaceId kKeyspace = 3;

// An entry's digest, without the entry: the tree knows no more of one.
inline Digest DrawDigest(base::Random& random) { return {1, random.Next(), random.Next()}; }

}  // namespace starling::merkle
