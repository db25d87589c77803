// base/unreachable.h: where our own code never comes. Ends the process at once, as CHECK does.
#pragma once

#include "base/check.h"

// `why`: a string that says why not.
#define UNREACHABLE(why) ::starling::base::internal::CheckFailed(__FILE__, __LINE__, why)
