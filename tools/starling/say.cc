#include "tools/starling/say.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

namespace starling::cli {

int Complain(Output output, const base::Status& status) {
  return tools::Complain("starling", output, status);
}

void PrintJson(const nlohmann::json& document) {
  fmt::print("{}\n", document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace starling::cli
