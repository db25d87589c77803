#include "base/place.h"

#include "base/hash.h"

namespace starling::base {

Token TokenOf(Bytes key, std::uint64_t cluster_seed) { return Hash64(key, cluster_seed); }

}  // namespace starling::base
