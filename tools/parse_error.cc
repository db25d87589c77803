#include "tools/parse_error.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <sstream>
#include <string_view>
#include <vector>

#include "base/nearest_name.h"

namespace starling::tools {

namespace {

// The subcommand that was given last, as far as the line was understood.
const CLI::App& InnermostOf(const CLI::App& app) {
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? app : InnermostOf(*parsed.back());
}

std::string Explain(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& inner = InnermostOf(app);
  const auto choices = inner.get_subcommands([](const CLI::App*) { return true; });
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError) &&
      !choices.empty() && inner.get_subcommands().empty()) {
    // What it took for no subcommand of its own stands first in what remains.
    for (const std::string& word : app.remaining(true)) {
      std::vector<std::string> names;
      names.reserve(choices.size());
      for (const CLI::App* choice : choices) names.push_back(choice->get_name());
      const std::vector<std::string_view> views(names.begin(), names.end());
      const std::string_view nearest = base::NearestName(word, views);
      const std::string_view what = word.starts_with('-') ? "flag" : "subcommand";
      return nearest.empty() || word.starts_with('-')
                 ? fmt::format("'{}' is an unknown {}", word, what)
                 : fmt::format("'{}' is an unknown {}; did you mean {}?", word, what, nearest);
    }
  }
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError))
    // What was to be a value may have been taken for a flag.
    for (const std::string& word : app.remaining(true))
      if (word.starts_with('-') && word != "-")
        return fmt::format("'{}' is an unknown flag; before words that begin so, write --", word);
  // "--ttl: At Most 1 required but received 2"
  const std::string_view said = error.what();
  const std::size_t many = said.find(": At Most 1 required but received ");
  if (many != std::string_view::npos)
    return fmt::format("{} is given more than once", said.substr(0, many));
  return std::string(said);
}

}  // namespace

int EndParse(const CLI::App& app, const CLI::ParseError& error, Output output) {
  if (error.get_exit_code() == 0) {
    std::ostringstream wanted;
    app.exit(error, wanted, wanted);
    // Not by std::cout, which CLI11 flushes, nor by stdio: why that fails would be lost.
    fmt::print("{}", wanted.str());
    return 0;
  }
  return ComplainPlainly(
      app.get_name(), output,
      base::InvalidArgument(Explain(app, error) + " (--help shows what there is)"));
}

}  // namespace starling::tools
