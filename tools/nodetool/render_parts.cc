#include "tools/nodetool/render_parts.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/nodetool/table.h"
#include "tools/nodetool/units.h"

namespace starling::nodetool {

namespace {

// Wall times are far above any duration: this is 2001.
constexpr std::int64_t kWallMsMin = 1'000'000'000'000;

bool IsSize(std::string_view field) { return field.find("bytes") != std::string_view::npos; }

bool IsTableOf(const Json& value) {
  return value.is_array() && !value.empty() &&
         std::all_of(value.begin(), value.end(), [](const Json& row) { return row.is_object(); });
}

// Every field that any row has, in the order of their first appearance.
std::vector<std::string> FieldsOf(const Json& rows) {
  std::vector<std::string> fields;
  for (const Json& row : rows)
    for (const auto& [field, value] : row.items())
      if (std::find(fields.begin(), fields.end(), field) == fields.end()) fields.push_back(field);
  return fields;
}

std::size_t WidthOfNames(const Json& object) {
  std::size_t width = 0;
  for (const auto& [field, value] : object.items())
    if (!value.is_object() && !IsTableOf(value)) width = std::max(width, ShowName(field).size());
  return width;
}

}  // namespace

std::string ShowRows(const Json& rows, std::int64_t now_ms) {
  const std::vector<std::string> fields = FieldsOf(rows);
  std::vector<std::string> header;
  header.reserve(fields.size());
  for (const std::string& field : fields) header.push_back(ShowName(field));
  Table table(header);
  for (const Json& row : rows) {
    std::vector<std::string> cells;
    cells.reserve(fields.size());
    for (const std::string& field : fields)
      cells.push_back(row.contains(field) ? ShowValue(field, row[field], now_ms) : "");
    table.Add(std::move(cells));
  }
  return table.Print();
}

std::string ShowValue(std::string_view field, const Json& value, std::int64_t now_ms) {
  if (value.is_null()) return "-";
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() && IsSize(field)) return ShowSize(value.get<double>());
  if (value.is_number_integer() && field.ends_with("_ms")) {
    const auto ms = value.get<std::int64_t>();
    return ms >= kWallMsMin ? ShowTime(ms, now_ms) : ShowDuration(ms);
  }
  if (value.is_number_integer() && field.ends_with("_us"))
    return ShowMicros(value.get<std::int64_t>());
  if (value.is_array()) {
    std::string list;
    for (const Json& item : value)
      list += fmt::format("{}{}", list.empty() ? "" : ", ", ShowValue(field, item, now_ms));
    return list.empty() ? "-" : list;
  }
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string ShowGeneric(const Json& document, std::int64_t now_ms) {
  if (IsTableOf(document)) return ShowRows(document, now_ms);
  if (!document.is_object()) return ShowValue("", document, now_ms) + '\n';
  std::string text;
  const std::size_t width = WidthOfNames(document);
  for (const auto& [field, value] : document.items()) {
    if (value.is_object() || IsTableOf(value))
      text += fmt::format("{}{}\n{}", text.empty() ? "" : "\n", ShowName(field),
                          ShowGeneric(value, now_ms));
    else
      text += fmt::format("{:<{}} : {}\n", ShowName(field), width, ShowValue(field, value, now_ms));
  }
  return text;
}

Json TakeField(Json& object, const std::string& field) {
  const auto found = object.find(field);
  if (found == object.end()) return nullptr;
  Json value = *found;
  object.erase(found);
  return value;
}

std::string TakeText(Json& object, const std::string& field, std::int64_t now_ms) {
  return ShowValue(field, TakeField(object, field), now_ms);
}

std::string ShowRest(const Json& rest, std::int64_t now_ms) {
  return rest.empty() ? "" : "\n" + ShowGeneric(rest, now_ms);
}

std::string ShowWarnings(const Json& warnings) {
  std::string text;
  if (!warnings.is_array()) return text;
  for (const Json& warning : warnings)
    if (warning.is_string()) text += fmt::format("\nWarning: {}", warning.get<std::string>());
  return text.empty() ? text : text + '\n';
}

}  // namespace starling::nodetool
