#include "client/hosts.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netdb.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string>

namespace starling::client {

using base::Address;
using base::Result;

namespace {

struct HostAndPort {
  std::string host;
  std::uint16_t port = 0;
};

Result<HostAndPort> Split(std::string_view text, std::uint16_t default_port) {
  const auto bad = [&](std::string_view why) {
    return base::Fail(base::InvalidArgument(
        fmt::format("'{}' is no host: {} (HOST or HOST:PORT is)", text, why)));
  };
  const std::size_t colon = text.find(':');
  const std::string_view host = text.substr(0, colon);
  // An IPv6 address, or a host that has its port already where another option takes the port.
  if (colon != text.rfind(':')) return bad("it has more than one colon, and IPv6 is not spoken");
  if (host.empty()) return bad("the name is empty");
  if (colon == std::string_view::npos) return HostAndPort{std::string(host), default_port};
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size() || port == 0)
    return bad(fmt::format("'{}' is no port", digits));
  return HostAndPort{std::string(host), port};
}

Result<std::vector<Address>> Resolve(const HostAndPort& at) {
  const addrinfo wanted{.ai_flags = 0,
                        .ai_family = AF_INET,
                        .ai_socktype = SOCK_STREAM,
                        .ai_protocol = 0,
                        .ai_addrlen = 0,
                        .ai_addr = nullptr,
                        .ai_canonname = nullptr,
                        .ai_next = nullptr};
  addrinfo* found = nullptr;
  const int error = getaddrinfo(at.host.c_str(), nullptr, &wanted, &found);
  if (error != 0)
    return base::Fail(base::Unavailable(
        fmt::format("host '{}' can't be resolved: {}", at.host, gai_strerror(error))));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, &freeaddrinfo);
  std::vector<Address> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(one->ai_addr);
    addresses.push_back({ntohl(in->sin_addr.s_addr), at.port});
  }
  return addresses;
}

}  // namespace

Result<std::vector<Address>> ResolveHosts(std::string_view text, std::uint16_t default_port) {
  std::vector<Address> all;
  while (true) {
    const std::size_t comma = text.find(',');
    ASSIGN_OR_RETURN(const HostAndPort at, Split(text.substr(0, comma), default_port));
    ASSIGN_OR_RETURN(const std::vector<Address> addresses, Resolve(at));
    for (const Address address : addresses)
      if (std::find(all.begin(), all.end(), address) == all.end()) all.push_back(address);
    if (comma == std::string_view::npos) return all;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace starling::client
