// tools/starling/say.h: how the one-shot client speaks: failures on stderr, as text or JSON.
//
// Thread: one.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "base/status.h"

namespace starling::cli {

enum class Output : std::uint8_t { kText, kJson };

// "starling: Unavailable: …", or {"error":{"code","message"}}. Returns kExitFailed, 2.
int Complain(Output output, const base::Status& status);

// On one line. Bytes that are no UTF-8 are replaced: whoever may print such uses base64.
void PrintJson(const nlohmann::json& document);

// Writes bytes to stdout as they are. False when stdout takes no more (a closed pipe).
bool PrintBytes(std::string_view bytes);

}  // namespace starling::cli
