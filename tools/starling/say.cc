#include "tools/starling/say.h"

#include <fmt/core.h>

namespace starling::cli {

int Complain(Output output, const base::Status& status) {
  return tools::Complain("starling", output, status);
}

void PrintJson(const base::Json& document) { fmt::print("{}\n", document.Text()); }

}  // namespace starling::cli
