// tools/nodetool/repair_progress.h: says how far a repair is while its answer is awaited.
//
// `nodetool repair` asks one question and waits for as long as there is something to move, hours
// perhaps. Meanwhile the same node is asked on a connection of its own how much it has yet to pull.
//
// Thread: blocks its caller; one more thread lives as long as the call.
// Read next: tools/nodetool/commands.h
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "tools/nodetool/commands.h"

namespace starling::nodetool {

// One line of an answer to `netstats`; empty when nothing is being pulled, or it is no such answer.
std::string PullLine(std::string_view netstats);

// As Ask, with a line on standard error every two seconds while the node pulls.
base::Result<std::string> AskShowingPulls(const Question& question);

}  // namespace starling::nodetool
