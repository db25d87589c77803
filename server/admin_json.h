// server/admin_json.h: what the files of Admin share: JSON, which its header keeps out, and
// refusals.
//
// Thread: free functions.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "server/admin.h"
#include "server/topology/topology.h"

namespace starling::server {

using json = nlohmann::ordered_json;  // Fields stand as written, for people to read.

// One `why` under way.
struct Admin::Why {
  ReplyTo reply;
  std::string key;
  std::vector<base::NodeNumber> order;  // Of the replicas, in that of the ring.
  std::map<base::NodeNumber, std::unique_ptr<json>> rows;
  std::set<base::NodeNumber> open;  // Asked, and silent as yet.
  base::Instant ends;
  base::Version highest;
};

// null where nothing is known.
json OrNull(std::optional<std::int64_t> value);

base::Status NoKeyspace(const std::string& name);

// Whether `key` of the keyspace called `name` can be looked for.
base::Status CheckPlace(const topology::Keyspace* space, const std::string& name,
                        const std::string& key);

}  // namespace starling::server
