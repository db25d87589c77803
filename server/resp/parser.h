// server/resp/parser.h: cuts Redis requests out of a stream of bytes.
//
// A request is an array of bulk strings ("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n") or one line of words as
// typed into telnet, quotes and escapes included. The parser remembers how far it came, so that a
// request that arrives in a thousand pieces is looked at once; it keeps offsets and no bytes, so
// that arguments are views into whatever buffer holds the request when it is whole.
//
// Thread:    confined.
// Ownership: views given by arg() are valid as long as the bytes of that Parse(), Next() or not; of
//            an inline request, until the next Parse().
// Read next: server/resp/session.h
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace starling::resp {

// What is over a limit is an error as soon as it is announced, before its bytes are waited for.
struct ParserLimits {
  std::uint32_t args_max = 1024 * 1024;                // Of one request: Redis's own limit.
  std::uint32_t bulk_bytes_max = 16 * 1024 * 1024;     // Of one argument.
  std::uint32_t request_bytes_max = 64 * 1024 * 1024;  // Of all of them: held until it is whole.
};
// A line: an inline request, or the count in front of an array or a bulk string.
inline constexpr std::size_t kLineBytesMax = 64 * 1024;

class Parser {
 public:
  enum class Outcome : std::uint8_t { kNeedMore, kRequest, kError };

  explicit Parser(ParserLimits limits) : limits_(limits) {}

  // Looks at `bytes`, whose first is the first byte of a request. After kNeedMore the same bytes
  // are to come again, with more behind them; after kRequest too, until Next(): they may have moved
  // meanwhile. After kError nothing more can be understood: the connection has to be closed.
  Outcome Parse(base::Bytes bytes);

  // REQUIRES for these four: the last Parse() said kRequest. An empty line has no arguments.
  std::size_t size() const { return at_; }  // Bytes of the request.
  bool is_inline() const { return is_inline_; }
  std::size_t args() const { return pieces_.size(); }
  base::Bytes arg(std::size_t i) const { return {base_ + pieces_[i].at, pieces_[i].size}; }
  // The request is done with.
  void Next();

  // Redis's words, "Protocol error: …". REQUIRES: the last Parse() said kError.
  const std::string& error() const { return error_; }

 private:
  enum class Stage : std::uint8_t {
    kStart,
    kInline,
    kCount,
    kBulkHead,
    kBulkBody,
    kWhole,
    kBroken
  };
  enum class Step : std::uint8_t { kDone, kNeedMore, kError };
  struct Piece {
    std::uint32_t at;
    std::uint32_t size;
  };

  Step Advance(base::Bytes bytes);
  Step TakeLine(base::Bytes bytes, const char* what, base::Bytes* line);
  Step TakeCount(base::Bytes bytes);
  Step TakeBulkHead(base::Bytes bytes);
  Step TakeBulkBody(base::Bytes bytes);
  Step TakeInline(base::Bytes bytes);
  bool SplitWords(base::Bytes line);
  Step Fail(std::string why);

  const ParserLimits limits_;

  Stage stage_ = Stage::kStart;
  bool is_inline_ = false;
  std::size_t at_ = 0;         // Bytes of the request that are understood.
  std::size_t searched_ = 0;   // Bytes in which no end of line was found.
  std::uint32_t missing_ = 0;  // Arguments still to come.
  std::uint32_t bulk_ = 0;     // Bytes of the one that comes.
  std::vector<Piece> pieces_;
  const char* base_ = nullptr;  // What pieces_ count from: the caller's bytes, or words_.
  std::string words_;           // Of an inline request, without quotes and escapes.
  std::string error_;
};

}  // namespace starling::resp
