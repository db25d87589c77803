#include "tools/say.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <system_error>

#include "base/json.h"
#include "base/printable.h"

namespace starling::tools {

namespace {

std::string AsJson(const base::Status& status) {
  const base::Json error = {
      {"error", {{"code", CodeName(status.code())}, {"message", status.message()}}}};
  return error.Text();
}

int Say(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());  // That may be full, too: then nobody can be told.
  return kExitFailed;
}

base::Status CannotWrite(int why) {
  return base::Io(fmt::format("the output cannot be written: {}", std::strerror(why)));
}

// What goes through std::cout is in stdout's buffer, too.
base::Status FlushOutput() {
  if (std::fflush(stdout) != 0) return CannotWrite(errno);
  // Why an earlier write failed is forgotten.
  return std::ferror(stdout) == 0 ? base::Ok() : base::Io("the output cannot be written");
}

}  // namespace

Output OutputAskedFor(int argc, const char* const* argv) {
  const auto end = std::find(argv, argv + argc, std::string_view("--"));  // Flags end here.
  return std::find(argv, end, std::string_view("--json")) == end ? Output::kText : Output::kJson;
}

int Complain(std::string_view program, Output output, const base::Status& status) {
  return Say(output == Output::kJson
                 ? AsJson(status)
                 : fmt::format("{}: {}", program, base::Printable(status.ToString())));
}

int ComplainPlainly(std::string_view program, Output output, const base::Status& status) {
  return Say(output == Output::kJson
                 ? AsJson(status)
                 : fmt::format("{}: {}", program, base::Printable(status.message())));
}

int RunAndFlush(std::string_view program, Output output, const std::function<int()>& run) {
  base::Status failure;
  try {
    const int status = run();
    failure = FlushOutput();
    if (failure.ok()) return status;
  } catch (const std::system_error& error) {  // By fmt::print, or no thread could be made.
    failure = std::ferror(stdout) != 0 ? CannotWrite(error.code().value()) : base::Io(error.what());
  }
  return ComplainPlainly(program, output, failure);
}

}  // namespace starling::tools
