// tools/nodetool/progress.h: says how far a node is with what it was asked while its answer is
// awaited.
//
// `nodetool repair` and `verify` ask one question and wait for as long as there is something to
// move or to read, hours perhaps. Meanwhile the same node is asked on a connection of its own for
// its netstats.
//
// Thread: blocks its caller; one more thread lives as long as the call.
// Read next: tools/nodetool/commands.h, tools/starling/progress.h
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "tools/nodetool/commands.h"

namespace starling::nodetool {

// One line of an answer to `netstats`, the first two also of one to `repairstatus`; empty when
// nothing is being pulled, made anew or verified, or it is no such answer.
std::string PullLine(std::string_view netstats);
std::string MakeLine(std::string_view netstats);
std::string VerifyLine(std::string_view netstats);

// As Ask, and meanwhile what `line_of` makes of the node's netstats on standard error, every two
// seconds: in place on a terminal, else line by line.
using LineOf = std::function<std::string(std::string_view netstats)>;
base::Result<std::string> AskShowing(const Question& question, const LineOf& line_of);

}  // namespace starling::nodetool
