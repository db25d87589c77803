// tools/nodetool/json.h: documents whose fields keep the order in which the node wrote them.
//
// Thread: values.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace starling::nodetool {

using Json = nlohmann::ordered_json;

}  // namespace starling::nodetool
