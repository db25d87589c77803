// server/version.h: what this build of Starling calls itself.
#pragma once

#include <string_view>

namespace starling::server {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace starling::server
