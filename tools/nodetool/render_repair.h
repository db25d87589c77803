// tools/nodetool/render_repair.h: what a node says of its repair, as text.
//
// Thread:    free functions.
// Read next: tools/nodetool/render.h
#pragma once

#include <cstdint>
#include <string>

#include "tools/nodetool/render_parts.h"

namespace starling::nodetool {

std::string ShowRepairStatus(Json answer, std::int64_t now_ms);
std::string ShowRepair(Json answer, std::int64_t now_ms);

}  // namespace starling::nodetool
