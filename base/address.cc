#include "base/address.h"

#include <arpa/inet.h>
#include <fmt/core.h>

#include <charconv>

namespace starling::base {

std::string Address::IpString() const {
  return fmt::format("{}.{}.{}.{}", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
}

std::string Address::ToString() const { return fmt::format("{}:{}", IpString(), port); }

Result<Address> ParseAddress(std::string_view text, std::uint16_t default_port) {
  const auto colon = text.rfind(':');
  const std::string host(text.substr(0, colon));
  in_addr parsed{};
  // inet_pton would stop at a zero byte and take what is before it.
  const bool whole = host.find('\0') == std::string::npos;
  if (!whole || inet_pton(AF_INET, host.c_str(), &parsed) != 1)
    return Fail(InvalidArgument(fmt::format("'{}' is not an IPv4 address[:port]", text)));
  Address address{ntohl(parsed.s_addr), default_port};
  if (colon != std::string_view::npos) {
    const std::string_view digits = text.substr(colon + 1);
    unsigned port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc{} || end != digits.data() + digits.size() || port == 0 || port > 65535)
      return Fail(InvalidArgument(
          fmt::format("'{}' has port '{}', which is not a number from 1 to 65535", text, digits)));
    address.port = static_cast<std::uint16_t>(port);
  }
  if (address.port == 0)
    return Fail(InvalidArgument(fmt::format("'{}' lacks a port (ADDRESS:PORT)", text)));
  return address;
}

}  // namespace starling::base
