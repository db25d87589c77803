// tools/starling/lines.h: records as lines of text, for import and export.
//
// jsonl: {"key":"…","value":"…"} or "value_base64", optionally "ttl_ms"; a key that is no UTF-8 is
//        "key_base64". Other fields are refused: a misspelt ttl would otherwise be lost in silence.
// tsv:   key TAB value [TAB ttl_ms]; \t, \n, \r and \\ stand for themselves, other bytes are
//        as they are.
//
// Thread: free functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace starling::cli {

enum class Format : std::uint8_t { kJsonl, kTsv };
base::Result<Format> ParseFormat(std::string_view text);

struct Record {
  std::string key;
  std::string value;
  std::uint64_t ttl_ms = 0;  // 0: for ever. At most wire::kTtlMsMax.
};

// One line, without its end. InvalidArgument says what is wrong with it.
base::Result<Record> ParseLine(std::string_view line, Format format);
// Appends the line with its end.
void FormatLineTo(const Record& record, Format format, std::string& out);

}  // namespace starling::cli
