#include "server/admin_places.h"

#include <fmt/core.h>

#include "server/wire/limits.h"

namespace starling::server {

base::Status NoKeyspace(const std::string& name) {
  return base::InvalidArgument(
      fmt::format("there is no keyspace '{}'", name.substr(0, wire::kNameBytesMax)));
}

// A longer key fits in no frame to the replicas.
base::Status CheckPlace(const topology::Keyspace* space, const std::string& name,
                        const std::string& key) {
  if (space == nullptr) return NoKeyspace(name);
  if (key.empty()) return base::InvalidArgument("the key is empty");
  if (key.size() > wire::kKeyBytesMax)
    return base::InvalidArgument(
        fmt::format("the key has {} bytes, at most {} are taken", key.size(), wire::kKeyBytesMax));
  return base::Ok();
}

}  // namespace starling::server
