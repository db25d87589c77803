// tools/nodetool/units.h: sizes, times and names of fields for people.
//
// Thread: free functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace starling::nodetool {

std::string ShowSize(double bytes);         // "1.21 MiB"
std::string ShowDuration(std::int64_t ms);  // "850 ms", "12.3 s", "4 min"
std::string ShowMicros(std::int64_t us);    // "0.85 ms", "12.3 s"
std::string ShowTime(std::int64_t wall_ms,
                     std::int64_t now_ms);  // "2026-11-24 05:06:07Z (3.2 s ago)"

// "load_bytes" becomes "Load", "last_equal_ms" "Last equal": a unit that the value shows goes.
std::string ShowName(std::string_view field);

std::int64_t WallMs();  // Now, by this machine's clock.

}  // namespace starling::nodetool
