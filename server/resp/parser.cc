#include "server/resp/parser.h"

#include <fmt/core.h>

#include <cctype>
#include <cstring>

#include "base/check.h"
#include "base/unreachable.h"
#include "server/resp/integer.h"

namespace starling::resp {
namespace {

constexpr std::size_t kPiecesKept = 1024;  // A connection that once sent many keeps no more.
constexpr std::size_t kWordsKept = 4096;

bool IsSpace(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char Unescape(char c) {
  switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return c;
  }
}

// Takes the rest of a quoted word, whose opening `quote` is behind `*at`, and leaves `*at` behind
// the closing one. False: it is never closed.
bool TakeQuoted(base::Bytes line, char quote, std::size_t* at, std::string& word) {
  while (*at < line.size()) {
    const char c = line[(*at)++];
    if (c == quote) return true;
    if (c != '\\' || *at == line.size()) {
      word += c;
      continue;
    }
    const char next = line[*at];
    if (quote == '\'') {  // Within '…' only \' is an escape.
      if (next == '\'') ++*at;
      word += next == '\'' ? next : c;
    } else if (next == 'x' && *at + 2 < line.size() && HexDigit(line[*at + 1]) >= 0 &&
               HexDigit(line[*at + 2]) >= 0) {
      word += static_cast<char>(HexDigit(line[*at + 1]) * 16 + HexDigit(line[*at + 2]));
      *at += 3;
    } else {
      word += Unescape(next);
      ++*at;
    }
  }
  return false;
}

}  // namespace

Parser::Outcome Parser::Parse(base::Bytes bytes) {
  Step step = Step::kDone;
  while (stage_ != Stage::kWhole && step == Step::kDone) step = Advance(bytes);
  if (step == Step::kNeedMore) return Outcome::kNeedMore;
  if (step == Step::kError) return Outcome::kError;
  CHECK(at_ <= bytes.size());
  base_ = is_inline_ ? words_.data() : bytes.data();
  return Outcome::kRequest;
}

void Parser::Next() {
  CHECK(stage_ == Stage::kWhole);
  stage_ = Stage::kStart;
  at_ = searched_ = 0;
  pieces_.clear();
  if (pieces_.capacity() > kPiecesKept) pieces_ = {};
}

Parser::Step Parser::Advance(base::Bytes bytes) {
  switch (stage_) {
    case Stage::kStart:
      if (bytes.empty()) return Step::kNeedMore;
      is_inline_ = bytes.front() != '*';
      stage_ = is_inline_ ? Stage::kInline : Stage::kCount;
      return Step::kDone;
    case Stage::kInline: return TakeInline(bytes);
    case Stage::kCount: return TakeCount(bytes);
    case Stage::kBulkHead: return TakeBulkHead(bytes);
    case Stage::kBulkBody: return TakeBulkBody(bytes);
    case Stage::kWhole: return Step::kDone;
    case Stage::kBroken: return Step::kError;
  }
  UNREACHABLE("a stage without a case");
}

Parser::Step Parser::Fail(std::string why) {
  error_ = "Protocol error: " + std::move(why);
  stage_ = Stage::kBroken;
  return Step::kError;
}

// The line at at_, without its end, which is left behind. What is too long is refused at the same
// byte whether it came whole or in pieces.
Parser::Step Parser::TakeLine(base::Bytes bytes, const char* what, base::Bytes* line) {
  const std::size_t from = std::max(at_, searched_);
  const std::size_t end = bytes.find('\n', from);
  const std::size_t length = std::min(end, bytes.size()) - at_;
  if (length > kLineBytesMax) return Fail(fmt::format("too big {}", what));
  if (end == base::Bytes::npos) {
    searched_ = bytes.size();
    return Step::kNeedMore;
  }
  *line = bytes.substr(at_, length);
  at_ = end + 1;
  return Step::kDone;
}

Parser::Step Parser::TakeCount(base::Bytes bytes) {
  base::Bytes line;
  if (const Step step = TakeLine(bytes, "mbulk count string", &line); step != Step::kDone)
    return step;
  const auto count =
      line.ends_with('\r') ? ParseInteger(line.substr(1, line.size() - 2)) : std::nullopt;
  if (!count || *count > limits_.args_max) return Fail("invalid multibulk length");
  missing_ = *count > 0 ? static_cast<std::uint32_t>(*count) : 0;
  stage_ = missing_ > 0 ? Stage::kBulkHead : Stage::kWhole;
  return Step::kDone;
}

Parser::Step Parser::TakeBulkHead(base::Bytes bytes) {
  if (bytes.size() <= at_) return Step::kNeedMore;
  if (const char c = bytes[at_]; c != '$') {
    const bool shown = std::isprint(static_cast<unsigned char>(c)) != 0;
    return Fail(shown
                    ? fmt::format("expected '$', got '{}'", c)
                    : fmt::format("expected '$', got '\\x{:02x}'", static_cast<unsigned char>(c)));
  }
  base::Bytes line;
  if (const Step step = TakeLine(bytes, "bulk count string", &line); step != Step::kDone)
    return step;
  const auto length =
      line.ends_with('\r') ? ParseInteger(line.substr(1, line.size() - 2)) : std::nullopt;
  if (!length || *length < 0) return Fail("invalid bulk length");
  if (*length > limits_.bulk_bytes_max)
    return Fail(fmt::format("invalid bulk length: {} bytes, the limit is {}", *length,
                            limits_.bulk_bytes_max));
  if (at_ + static_cast<std::size_t>(*length) > limits_.request_bytes_max)
    return Fail(fmt::format("too big request: the limit is {} bytes", limits_.request_bytes_max));
  bulk_ = static_cast<std::uint32_t>(*length);
  stage_ = Stage::kBulkBody;
  return Step::kDone;
}

Parser::Step Parser::TakeBulkBody(base::Bytes bytes) {
  const std::size_t end = at_ + bulk_;
  if (bytes.size() < end + 2) return Step::kNeedMore;
  if (bytes[end] != '\r' || bytes[end + 1] != '\n')
    return Fail(fmt::format("expected CRLF after a bulk of {} bytes", bulk_));
  pieces_.push_back({static_cast<std::uint32_t>(at_), bulk_});
  at_ = end + 2;
  --missing_;
  stage_ = missing_ > 0 ? Stage::kBulkHead : Stage::kWhole;
  return Step::kDone;
}

Parser::Step Parser::TakeInline(base::Bytes bytes) {
  base::Bytes line;
  if (const Step step = TakeLine(bytes, "inline request", &line); step != Step::kDone) return step;
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (!SplitWords(line)) return Fail("unbalanced quotes in request");
  stage_ = Stage::kWhole;
  return Step::kDone;
}

// As redis-cli and telnet users write: words between spaces, "…" with \n, \x00 and their like,
// '…' with \'. A closing quote ends its word. False: a quote is not closed, or text follows it.
bool Parser::SplitWords(base::Bytes line) {
  words_.clear();
  if (words_.capacity() > kWordsKept) words_ = {};
  std::size_t at = 0;
  for (;;) {
    while (at < line.size() && IsSpace(line[at])) ++at;
    if (at == line.size()) break;
    const auto begin = static_cast<std::uint32_t>(words_.size());
    while (at < line.size() && !IsSpace(line[at])) {
      const char c = line[at++];
      if (c != '"' && c != '\'') {
        words_ += c;
        continue;
      }
      if (!TakeQuoted(line, c, &at, words_)) return false;
      if (at < line.size() && !IsSpace(line[at])) return false;
    }
    pieces_.push_back({begin, static_cast<std::uint32_t>(words_.size()) - begin});
  }
  return true;
}

}  // namespace starling::resp
