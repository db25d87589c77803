// client/hosts.h: the hosts a client is told of, as text, to addresses.
//
// Thread: free functions; resolving a name blocks.
#pragma once

#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/status.h"

namespace starling::client {

inline constexpr std::uint16_t kClientPort = 7701;

// "127.0.0.1:7701,node2,node3:7801": each an IPv4 address or a name, with a port or `default_port`.
// A name stands for all of its addresses. Fails with InvalidArgument on text that is no list of
// hosts, with Unavailable on a name that nobody knows; both name it.
base::Result<std::vector<base::Address>> ResolveHosts(std::string_view text,
                                                      std::uint16_t default_port = kClientPort);

}  // namespace starling::client
