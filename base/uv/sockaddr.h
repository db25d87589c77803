// base/uv/sockaddr.h: Address to and from what the system calls take.
#pragma once

#include <netinet/in.h>

#include "base/address.h"

namespace starling::base::uv {

inline sockaddr_in ToSockaddr(Address address) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(address.port);
  out.sin_addr.s_addr = htonl(address.ip);
  return out;
}

inline Address FromSockaddr(const sockaddr_in& from) {
  return {ntohl(from.sin_addr.s_addr), ntohs(from.sin_port)};
}

}  // namespace starling::base::uv
