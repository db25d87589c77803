#include "tools/starling/say.h"

#include <fmt/core.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "tools/starling/commands.h"

namespace starling::cli {

int Complain(Output output, const base::Status& status) {
  if (output == Output::kJson) {
    const nlohmann::json error = {
        {"error", {{"code", CodeName(status.code())}, {"message", status.message()}}}};
    const auto text = error.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    fmt::print(stderr, "{}\n", text);
  } else {
    fmt::print(stderr, "starling: {}\n", status.ToString());
  }
  return kExitFailed;
}

bool PrintBytes(std::string_view bytes) {
  return std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() &&
         std::fflush(stdout) == 0;
}

}  // namespace starling::cli
