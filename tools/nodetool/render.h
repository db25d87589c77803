// tools/nodetool/render.h: a node's JSON answer as the text that operators know from Cassandra.
//
// A field that is not known here is shown under its own name, so that a newer node can be asked.
//
// Thread: free functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace starling::nodetool {

// Fails with Corruption when the answer is no JSON. `now_ms` is the wall clock, for ages.
base::Result<std::string> Render(std::string_view command, std::string_view answer,
                                 std::int64_t now_ms);

// What an answer says was asked for and could not be done, for stderr and exit status 2: a repair
// that left out peers. Empty: all was done.
std::string FellShort(std::string_view command, std::string_view answer);

}  // namespace starling::nodetool
