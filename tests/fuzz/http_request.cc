// Goal:   no bytes crash the reader of HTTP requests; one that comes in parts is the same as whole.
// Method: the input is what a connection brings. Where it is cut is drawn by its hash.
#include "server/http_request.h"

#include "base/hash.h"
#include "base/random.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/round_trip.h"

namespace starling::server {
namespace {

HttpCut CutExactly(base::Bytes bytes) { return CutHttpRequest(fuzz::Exact(bytes).bytes()); }

// Of `parts`, which is a beginning of what `whole` was cut from.
void CheckPart(const HttpCut& part, const HttpCut& whole) {
  if (part.error != 0 || part.request) {  // Said at once, so more bytes change nothing.
    CHECK(part.error == whole.error);
    CHECK(part.used == whole.used);
  } else {
    CHECK(part.used == 0);
  }
}

}  // namespace
}  // namespace starling::server

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling;
  using namespace starling::server;
  base::Bytes rest = fuzz::Input(data, size).Rest();
  base::Random random(base::Hash64(rest));
  while (!rest.empty()) {
    const HttpCut whole = CutExactly(rest);
    CHECK(whole.used <= rest.size());
    CHECK((whole.used > 0) == whole.request.has_value());
    CHECK(!whole.request || whole.error == 0);
    for (int parts = 0; parts < 4; ++parts)
      CheckPart(CutExactly(rest.substr(0, random.Below(rest.size()))), whole);
    if (!whole.request) break;
    CHECK(whole.used <= kHttpHeaderBytesMax);
    CHECK(!whole.request->method.empty());
    CHECK(!(whole.request->has_body && whole.request->keep_alive));
    // The request's own bytes are all that it is about.
    const HttpCut alone = CutExactly(rest.substr(0, whole.used));
    CHECK(alone.request.has_value());
    CHECK(alone.request->path == whole.request->path);
    if (!whole.request->keep_alive) break;
    rest.remove_prefix(whole.used);
  }
  return 0;
}
