#include "server/resp/reply.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace starling::resp {
namespace {

// ":123\r\n" and its like.
void AppendNumber(std::string& out, char kind, std::int64_t value) {
  std::array<char, 24> text;
  text[0] = kind;
  char* end = std::to_chars(text.data() + 1, text.data() + text.size() - 2, value).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.append(text.data(), end);
}

}  // namespace

void AppendSimple(std::string& out, base::Bytes text) {
  out += '+';
  out += text;
  out += "\r\n";
}

void AppendError(std::string& out, base::Bytes text) {
  out += '-';
  const std::size_t begin = out.size();
  out += text;
  std::replace_if(
      out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(),
      [](char c) { return c == '\r' || c == '\n'; }, ' ');
  out += "\r\n";
}

void AppendInteger(std::string& out, std::int64_t value) { AppendNumber(out, ':', value); }

void AppendBulk(std::string& out, base::Bytes bytes) {
  AppendNumber(out, '$', static_cast<std::int64_t>(bytes.size()));
  out += bytes;
  out += "\r\n";
}

void AppendNull(std::string& out) { out += "$-1\r\n"; }

void AppendArray(std::string& out, std::size_t elements) {
  AppendNumber(out, '*', static_cast<std::int64_t>(elements));
}

}  // namespace starling::resp
