// tools/starling/say.h: how the one-shot client speaks: failures on stderr, as text or JSON.
//
// Thread: one.
#pragma once

#include "base/status.h"
#include "tools/say.h"

namespace starling::cli {

using tools::Output;

// "starling: Unavailable: …", or {"error":{"code","message"}}. Returns kExitFailed, 2.
int Complain(Output output, const base::Status& status);

}  // namespace starling::cli
