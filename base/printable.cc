#include "base/printable.h"

#include <fmt/core.h>

#include "base/base64.h"

namespace starling::base {
namespace {

void EscapeTo(char c, std::string& out) {
  switch (c) {
    case '\n': out += "\\n"; break;
    case '\r': out += "\\r"; break;
    case '\t': out += "\\t"; break;
    default: out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
}

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

std::string Printable(Bytes text, std::size_t bytes_max) {
  const bool utf8 = IsUtf8(text);
  std::size_t end = text.size();
  if (end > bytes_max) {
    end = bytes_max;
    while (utf8 && end > 0 && IsContinuation(text[end])) --end;
  }
  std::string shown;
  shown.reserve(end);
  for (std::size_t i = 0; i < end; ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F, in two bytes, are control characters, too.
    const bool second_row =
        utf8 && c == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0;  // It has two bytes.
    if (second_row)
      EscapeTo(text[++i], shown);
    else if (c < 0x20 || c == 0x7F || (c >= 0x80 && !utf8))
      EscapeTo(text[i], shown);
    else
      shown += text[i];
  }
  if (end < text.size()) shown += "...";
  return shown;
}

}  // namespace starling::base
