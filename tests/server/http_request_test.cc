// Goal:   requests are cut as they come, and what is no request, or too large, is refused.
// Method: bytes by hand, whole and in every possible part.
#include "server/http_request.h"

#include <fmt/core.h>

#include "tests/test.h"

namespace starling::server {
namespace {

constexpr std::string_view kGet = "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n";

TEST_SUITE("server/http_request") {
  TEST_CASE("a request is its method and its path, and says whether another may follow") {
    const HttpCut cut = CutHttpRequest(kGet);
    REQUIRE(cut.request.has_value());
    EXPECT(cut.used == kGet.size());
    EXPECT(cut.request->method == "GET");
    EXPECT(cut.request->path == "/metrics");
    EXPECT(cut.request->keep_alive);
    EXPECT(!cut.request->has_body);
    const HttpCut last = CutHttpRequest("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT(!last.request->keep_alive);
    EXPECT(!CutHttpRequest("GET / HTTP/1.0\r\n\r\n").request->keep_alive);
  }

  TEST_CASE("of a request in parts nothing is used until it is whole") {
    for (std::size_t size = 0; size < kGet.size(); ++size) {
      const HttpCut cut = CutHttpRequest(kGet.substr(0, size));
      EXPECT(!cut.request.has_value());
      EXPECT(cut.error == 0);
      EXPECT(cut.used == 0);
    }
  }

  TEST_CASE("of two requests at once the first is cut") {
    const std::string two = fmt::format("{}GET /health HTTP/1.1\r\n\r\n", kGet);
    const HttpCut first = CutHttpRequest(two);
    REQUIRE(first.used == kGet.size());
    EXPECT(CutHttpRequest(base::Bytes(two).substr(first.used)).request->path == "/health");
  }

  TEST_CASE("what is no HTTP/1.x is refused at once") {
    for (const std::string_view bad :
         {std::string_view("garbage\r\n\r\n"), std::string_view("\x16\x03\x01\x02\x00\x01", 6),
          std::string_view("GET / HTTP/9.9\r\n\r\n"),
          std::string_view("GET /\x01 HTTP/1.1\r\n\r\n"),
          std::string_view("GET / HTTP/1.1\r\nbad header\r\n\r\n"),
          std::string_view("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n")}) {
      DOCTEST_INFO("the request is ", std::string(bad));
      const HttpCut cut = CutHttpRequest(bad);
      EXPECT(!cut.request.has_value());
      EXPECT(cut.error == 400);
    }
  }

  TEST_CASE("headers end at 8 KiB") {
    const std::string start = "GET / HTTP/1.1\r\nX: ";
    const std::string at_limit =
        start + std::string(kHttpHeaderBytesMax - start.size() - 4, 'x') + "\r\n\r\n";
    EXPECT(CutHttpRequest(at_limit).request.has_value());
    EXPECT(CutHttpRequest(start + std::string(kHttpHeaderBytesMax, 'x')).error == 431);
    EXPECT(CutHttpRequest("GET /" + std::string(kHttpHeaderBytesMax, 'x')).error == 431);
  }

  TEST_CASE("a body is noticed, and not waited for") {
    EXPECT(CutHttpRequest("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n").request->has_body);
    EXPECT(
        CutHttpRequest("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").request->has_body);
    EXPECT(!CutHttpRequest("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n").request->has_body);
  }
}

}  // namespace
}  // namespace starling::server
