#include "tools/starling/say.h"

namespace starling::cli {

int Complain(Output output, const base::Status& status) {
  return tools::Complain("starling", output, status);
}

}  // namespace starling::cli
