// tools/starling/say.h: how the one-shot client speaks: failures on stderr, as text or JSON.
//
// Thread: one.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"

namespace starling::cli {

enum class Output : std::uint8_t { kText, kJson };

// "starling: Unavailable: …", or {"error":{"code","message"}}. Returns kExitFailed, 2.
int Complain(Output output, const base::Status& status);

// Writes bytes to stdout as they are. False when stdout takes no more (a closed pipe).
bool PrintBytes(std::string_view bytes);

}  // namespace starling::cli
