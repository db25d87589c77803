#include "server/http_request.h"

#include <http_parser.h>

#include <limits>

namespace starling::server {
namespace {

struct Reading {
  std::string target;
  bool has_body = false;
  bool complete = false;
};

Reading& ReadingOf(http_parser* parser) { return *static_cast<Reading*>(parser->data); }

int OnUrl(http_parser* parser, const char* at, std::size_t size) {
  ReadingOf(parser).target.append(at, size);
  return 0;
}

// 1: there is no body to wait for, whatever the headers say.
int OnHeadersComplete(http_parser* parser) {
  const bool sized = parser->content_length != std::numeric_limits<std::uint64_t>::max() &&
                     parser->content_length > 0;
  ReadingOf(parser).has_body = sized || (parser->flags & F_CHUNKED) != 0;
  return 1;
}

int OnComplete(http_parser* parser) {
  ReadingOf(parser).complete = true;
  http_parser_pause(parser, 1);
  return 0;
}

}  // namespace

HttpCut CutHttpRequest(base::Bytes bytes) {
  if (bytes.empty()) return {};
  http_parser_settings settings;
  http_parser_settings_init(&settings);
  settings.on_url = OnUrl;
  settings.on_headers_complete = OnHeadersComplete;
  settings.on_message_complete = OnComplete;
  http_parser parser;
  http_parser_init(&parser, HTTP_REQUEST);
  Reading reading;
  parser.data = &reading;
  const base::Bytes looked_at = bytes.substr(0, kHttpHeaderBytesMax);
  const std::size_t used =
      http_parser_execute(&parser, &settings, looked_at.data(), looked_at.size());
  if (!reading.complete) {
    if (HTTP_PARSER_ERRNO(&parser) != HPE_OK) return {.error = 400};
    return {.error = bytes.size() >= kHttpHeaderBytesMax ? 431 : 0};
  }
  if (parser.http_major != 1) return {.error = 400};
  HttpRequest request;
  request.method = http_method_str(static_cast<http_method>(parser.method));
  request.path = reading.target.substr(0, reading.target.find('?'));
  request.has_body = reading.has_body;
  request.keep_alive = http_should_keep_alive(&parser) != 0 && !reading.has_body;
  return {.used = used, .request = std::move(request)};
}

}  // namespace starling::server
