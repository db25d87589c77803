// base/base64.h: RFC 4648's base64, with padding, and whether bytes are UTF-8: bytes in JSON.
//
// Thread: free functions.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace starling::base {

std::string ToBase64(std::string_view bytes);
// Fails with InvalidArgument on what ToBase64 never gives.
Result<std::string> FromBase64(std::string_view text);
bool IsUtf8(std::string_view bytes);

}  // namespace starling::base
