// server/http_request.h: one request of HTTP/1.x, cut from what a connection holds.
//
// Parsing is http_parser's (Debian's libhttp-parser-dev); the limits are ours.
//
// Thread: a free function.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/bytes.h"

namespace starling::server {

// Of the request line and all headers.
inline constexpr std::size_t kHttpHeaderBytesMax = 8192;

struct HttpRequest {
  std::string method;  // "GET"
  std::string path;    // Without the query.
  bool keep_alive = false;
  bool has_body = false;  // Which was not read: the connection is of no more use.
};

struct HttpCut {
  std::size_t used = 0;  // Bytes of the request; 0 while it is not whole.
  std::optional<HttpRequest> request{};
  int error = 0;  // The status to refuse with: 400, or 431 when it is too long.
};

HttpCut CutHttpRequest(base::Bytes bytes);

}  // namespace starling::server
