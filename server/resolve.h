// server/resolve.h: the address behind a name.
//
// Thread: free functions; they may block.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/status.h"

namespace starling::server {

// The IPv4 address of a name, in host byte order, as it is now. Fails with Unavailable.
using LookUp = std::function<base::Result<std::uint32_t>(const std::string& name)>;

// By the system's resolver.
base::Result<std::uint32_t> SystemLookUp(const std::string& name);

}  // namespace starling::server
