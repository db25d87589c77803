#include "server/resolve.h"

#include <fmt/core.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <memory>

namespace starling::server {
namespace {

base::Result<base::Address> Resolve(const std::string& seed, std::uint16_t default_port) {
  if (auto numeric = base::ParseAddress(seed, default_port)) return numeric;
  const auto colon = seed.rfind(':');
  const std::string name = seed.substr(0, colon);
  // The port is judged with a numeric address in the name's place.
  ASSIGN_OR_RETURN(
      base::Address address,
      base::ParseAddress("0.0.0.0" + (colon == std::string::npos ? "" : seed.substr(colon)),
                         default_port));
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(name.c_str(), nullptr, &hints, &found);
  if (error != 0)
    return base::Fail(base::Unavailable(
        fmt::format("seed '{}' cannot be resolved: {}", seed, gai_strerror(error))));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  address.ip = ntohl(reinterpret_cast<const sockaddr_in*>(found->ai_addr)->sin_addr.s_addr);
  return address;
}

}  // namespace

base::Result<std::vector<base::Address>> ResolveSeeds(const std::vector<std::string>& seeds,
                                                      std::uint16_t default_port) {
  std::vector<base::Address> resolved;
  for (const std::string& seed : seeds) {
    ASSIGN_OR_RETURN(const base::Address address, Resolve(seed, default_port));
    resolved.push_back(address);
  }
  std::sort(resolved.begin(), resolved.end());
  resolved.erase(std::unique(resolved.begin(), resolved.end()), resolved.end());
  return resolved;
}

}  // namespace starling::server
