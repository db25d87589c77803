// tools/parse_error.h: a mistyped command line, in one sentence: CLI11 says what it missed, and
// not what it was given instead.
//
// Thread: a free function.
#pragma once

#include <string>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace starling::tools {

// REQUIRES: `app.parse` threw `error`.
std::string ExplainParseError(const CLI::App& app, const CLI::ParseError& error);

}  // namespace starling::tools
