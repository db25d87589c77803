#include "base/version.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

namespace starling::base {

std::string Version::ToString() const {
  if (empty()) return "none";
  return fmt::format("{}.{}@{}#{:08x}", timestamp >> 16, timestamp & 0xffff, node, nonce);
}

std::optional<Version> Version::Parse(std::string_view text) {
  if (text == "none") return Version{};
  const auto take = [&text](char after, int radix, auto* into) {
    const std::size_t length = after == 0 ? text.size() : text.find(after);
    if (length == 0 || length == std::string_view::npos) return false;
    const auto [end, error] = std::from_chars(text.data(), text.data() + length, *into, radix);
    const bool whole = error == std::errc{} && end == text.data() + length;
    text.remove_prefix(std::min(text.size(), length + 1));
    return whole;
  };
  std::uint64_t ms = 0;
  std::uint16_t counter = 0;
  Version version;
  if (!take('.', 10, &ms) || !take('@', 10, &counter) || !take('#', 10, &version.node) ||
      !take(0, 16, &version.nonce) || ms >> 48 != 0)
    return std::nullopt;
  version.timestamp = ms << 16 | counter;
  return version;
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
