#include "tools/nodetool/render_repair.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "tools/nodetool/progress.h"
#include "tools/nodetool/render.h"

namespace starling::nodetool {

namespace {

// A line for each thing that runs.
std::string TakeRunning(Json& answer) {
  std::string text;
  Json running = Json::object();
  for (const char* section : {"repair", "trees"}) running[section] = TakeField(answer, section);
  for (const auto line_of : {PullLine, MakeLine})
    if (const std::string line = line_of(running.dump()); !line.empty()) text += line + '\n';
  return text;
}

}  // namespace

std::string ShowRepairStatus(Json answer, std::int64_t now_ms) {
  const Json ranges = TakeField(answer, "ranges");
  const std::string warnings = ShowWarnings(TakeField(answer, "warnings"));
  const std::string runs = TakeRunning(answer);
  if (!ranges.is_array() || ranges.empty())
    return "no range of this node has other replicas\n" + runs;
  std::size_t equal = 0;
  for (const Json& range : ranges)
    if (range.value("equal", false)) ++equal;
  return ShowGeneric(ranges, now_ms) +
         fmt::format("{} of {} ranges equal\n", equal, ranges.size()) + runs +
         ShowRest(answer, now_ms) + warnings;
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): all that show a command's answer look alike.
std::string ShowRepair(Json answer, std::int64_t now_ms) {
  const bool equal = answer.value("equal", false);
  if (answer.value("dry_run", false) && !equal)
    return ShowGeneric(answer, now_ms) +
           "nothing was moved: a repair has both sides fetch what they lack of these\n";
  return ShowGeneric(answer, now_ms) +
         (equal ? "all ranges that were compared are equal\n" : "some ranges are not equal yet\n");
}

std::string FellShort(std::string_view command, std::string_view answer) {
  if (command != "repair") return {};
  const Json document = Json::parse(answer, nullptr, /*allow_exceptions=*/false);
  const auto number = [&](const char* field) -> std::uint64_t {
    const bool there = document.is_object() && document.contains(field);
    return there && document[field].is_number_unsigned() ? document[field].get<std::uint64_t>() : 0;
  };
  const std::uint64_t compared = number("compared");
  const std::uint64_t peers = number("peers");
  if (compared >= peers) return {};
  return fmt::format("compared with {} of {} peers: {}", compared, peers,
                     ShowValue("reason", document.value("reason", Json()), 0));
}

}  // namespace starling::nodetool
