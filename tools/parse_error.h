// tools/parse_error.h: the end of a command line that asks for help, or is mistyped: that in one
// sentence, since CLI11 says what it missed, and not what it was given instead.
//
// Thread: a free function.
#pragma once

#include <string>

#include "tools/say.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's.
class App;
class ParseError;
}  // namespace CLI

namespace starling::tools {

// Prints what --help or --version ask for, and returns 0; or complains, and returns kExitFailed.
// REQUIRES: `app.parse` threw `error`.
int EndParse(const CLI::App& app, const CLI::ParseError& error, Output output);

}  // namespace starling::tools
