// base/address.h: an IPv4 address and a port.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace starling::base {

struct Address {
  std::uint32_t ip = 0;  // Host byte order: 127.0.0.1 is 0x7f000001.
  std::uint16_t port = 0;

  auto operator<=>(const Address&) const = default;

  bool loopback() const { return ip >> 24 == 127; }
  std::string ToString() const;  // "127.0.0.1:7700"
  std::string IpString() const;  // "127.0.0.1"
  Address WithPort(std::uint16_t other) const { return {ip, other}; }
};

// "127.0.0.1:7700" or, with `default_port`, "127.0.0.1"; no names: resolving is the caller's.
// Fails with InvalidArgument, naming the text.
Result<Address> ParseAddress(std::string_view text, std::uint16_t default_port = 0);

}  // namespace starling::base
