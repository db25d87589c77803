// server/config_units.h: durations and sizes as people write them: "300ms", "256MiB".
//
// A whole number and a unit, without a sign or a fraction; spaces around are not taken.
//
// Thread:    free functions.
// Read next: server/config.h
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"

namespace starling::server {

// "5s", "300ms", "3h": ms, s, m, h or d. The unit may be left out of "0" only. InvalidArgument
// quotes the text, and names the units or, when it is too large, the largest in its unit.
base::Result<base::Duration> ParseDuration(std::string_view text);
// "256MiB": B, KiB, MiB, GiB or TiB; a number alone is bytes. Fails as ParseDuration does.
base::Result<std::uint64_t> ParseSize(std::string_view text);

// What the parsers read back, in the largest unit that leaves no remainder. Below a millisecond,
// a duration is cut.
std::string FormatDuration(base::Duration duration);
std::string FormatSize(std::uint64_t bytes);

}  // namespace starling::server
