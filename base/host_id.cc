#include "base/host_id.h"

#include <fmt/core.h>

#include <charconv>

namespace starling::base {

std::string HostId::ToString() const {
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, high >> 16 & 0xffff,
                     high & 0xffff, low >> 48, low & 0xffffffffffffULL);
}

HostId HostId::Draw(Random& random) {
  HostId id;
  while (id.empty()) id = {random.Next(), random.Next()};
  return id;
}

Result<HostId> HostId::Parse(std::string_view text) {
  const Status bad =
      InvalidArgument(fmt::format("'{}' is not a host id (8-4-4-4-12 hexadecimal digits)", text));
  if (text.size() != 36) return Fail(bad);
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash_here = i == 8 || i == 13 || i == 18 || i == 23;
    if ((text[i] == '-') != dash_here) return Fail(bad);
    if (!dash_here) digits.push_back(text[i]);
  }
  HostId id;
  for (const auto& [from, word] : {std::pair{0, &id.high}, std::pair{16, &id.low}}) {
    const char* end = digits.data() + from + 16;
    const auto parsed = std::from_chars(digits.data() + from, end, *word, 16);
    if (parsed.ec != std::errc{} || parsed.ptr != end) return Fail(bad);
  }
  return id;
}

}  // namespace starling::base
