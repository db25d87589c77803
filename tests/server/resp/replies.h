// tests/server/resp/replies.h: replies as Redis has them, and a client of whom few requests go at
// once.
//
// Thread: free functions.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string>

#include "tests/server/resp/client.h"

namespace starling::resp {

inline const std::string kNull = "$-1\r\n";
inline const std::string kOk = "+OK\r\n";

inline std::string Bulk(const std::string& text) {
  return fmt::format("${}\r\n{}\r\n", text.size(), text);
}

inline Client SmallClient(std::uint32_t in_flight_max) {
  SessionOptions options;
  options.in_flight_max = in_flight_max;
  return Client(options);
}

}  // namespace starling::resp
