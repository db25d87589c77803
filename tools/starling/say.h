// tools/starling/say.h: what `starling` tells its user: JSON on stdout, failures on stderr.
//
// Thread: one.
#pragma once

#include "base/json.h"
#include "base/status.h"
#include "tools/say.h"

namespace starling::cli {

using tools::Output;

// "starling: Unavailable: …", or {"error":{"code","message"}}. Returns kExitFailed, 2.
int Complain(Output output, const base::Status& status);

// On one line. Bytes that are no UTF-8 are replaced: whoever may print such uses base64.
void PrintJson(const base::Json& document);

}  // namespace starling::cli
