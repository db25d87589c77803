#include "base/version.h"

#include <fmt/core.h>

namespace starling::base {

std::string Version::ToString() const {
  if (empty()) return "none";
  return fmt::format("{}.{}@{}#{:08x}", timestamp >> 16, timestamp & 0xffff, node, nonce);
}

void Version::StoreTo(char* at) const {
  StoreLittle(at, timestamp);
  StoreLittle(at + 8, node);
  StoreLittle(at + 12, nonce);
}

Version Version::LoadFrom(const char* at) {
  return {LoadLittle<std::uint64_t>(at), LoadLittle<std::uint32_t>(at + 8),
          LoadLittle<std::uint32_t>(at + 12)};
}

}  // namespace starling::base
