// tools/say.h: how the programs speak: answers on stdout that must arrive, failures on stderr.
//
// Thread: one.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/status.h"

namespace starling::tools {

inline constexpr int kExitFailed = 2;  // Refused, or failed: of every program.

enum class Output : std::uint8_t { kText, kJson };

// What the words of a command line ask for, --json or not: for what must be said before they are
// parsed, or when they can't be.
Output OutputAskedFor(int argc, const char* const* argv);

// "PROGRAM: CODE: MESSAGE", or {"error":{"code","message"}}. Returns kExitFailed.
int Complain(std::string_view program, Output output, const base::Status& status);
// Without the code, if it is text: of the command line itself, and of where it prints to.
int ComplainPlainly(std::string_view program, Output output, const base::Status& status);

// The exit status that `run` returns, if all that it printed to stdout has arrived: else complains
// plainly and returns kExitFailed. A status that says "done" over an answer that nobody got is a
// lie.
int RunAndFlush(std::string_view program, Output output, const std::function<int()>& run);

}  // namespace starling::tools
