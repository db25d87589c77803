#include "client/routing.h"

#include <algorithm>
#include <utility>

namespace starling::client {

bool Routing::Adopt(wire::ClusterMap map) {
  if (known() && map.epoch < map_.epoch) return false;
  map_ = std::move(map);
  ++adopted_;
  return true;
}

const wire::ClusterMap::Keyspace* Routing::FindKeyspace(std::string_view name) const {
  for (const auto& keyspace : map_.keyspaces)
    if (keyspace.name == name) return &keyspace;
  return nullptr;
}

std::span<const base::NodeNumber> Routing::Replicas(const wire::ClusterMap::Keyspace& keyspace,
                                                    base::Bytes key) const {
  if (keyspace.ranges.empty()) return {};
  const std::uint16_t bucket = base::BucketOf(base::TokenOf(key, map_.token_seed));
  const auto after = std::upper_bound(
      keyspace.ranges.begin(), keyspace.ranges.end(), bucket,
      [](std::uint16_t wanted, const auto& range) { return wanted < range.first_bucket; });
  return std::prev(after)->replicas;  // There is one: the first range begins at bucket 0.
}

}  // namespace starling::client
