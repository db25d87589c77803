// server/admin_places.h: refusals of a keyspace or key that an operator names.
//
// Thread: free functions.
#pragma once

#include <string>

#include "base/status.h"
#include "server/topology/topology.h"

namespace starling::server {

base::Status NoKeyspace(const std::string& name);

// Whether `key` of the keyspace called `name` can be looked for.
base::Status CheckPlace(const topology::Keyspace* space, const std::string& name,
                        const std::string& key);

}  // namespace starling::server
