#include "tools/starling/say.h"

#include <fmt/core.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "tools/starling/commands.h"

namespace starling::cli {

namespace {

std::string TextOf(const nlohmann::json& document) {
  return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

int Complain(Output output, const base::Status& status) {
  if (output == Output::kJson) {
    const nlohmann::json error = {
        {"error", {{"code", CodeName(status.code())}, {"message", status.message()}}}};
    fmt::print(stderr, "{}\n", TextOf(error));
  } else {
    fmt::print(stderr, "starling: {}\n", status.ToString());
  }
  return kExitFailed;
}

void PrintJson(const nlohmann::json& document) { fmt::print("{}\n", TextOf(document)); }

bool PrintBytes(std::string_view bytes) {
  return std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() &&
         std::fflush(stdout) == 0;
}

}  // namespace starling::cli
