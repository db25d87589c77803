// server/resolve.h: the seeds of the configuration as addresses.
#pragma once

#include <string>
#include <vector>

#include "base/address.h"
#include "base/status.h"

namespace starling::server {

// Numeric addresses as they are, names by the system's resolver (which may block: at start only).
//
// Thread: free functions.
// Sorted, each once. Fails with Unavailable, naming the seed, when one can't be resolved.
base::Result<std::vector<base::Address>> ResolveSeeds(const std::vector<std::string>& seeds,
                                                      std::uint16_t default_port);

}  // namespace starling::server
