// tools/nodetool/render_parts.h: any JSON document as text: fields on lines, lists of objects as
// tables.
//
// Thread:    free functions.
// Read next: tools/nodetool/render.h
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tools/nodetool/json.h"

namespace starling::nodetool {

// In the unit that the field's name tells; `now_ms` is the wall clock, for ages.
std::string ShowValue(std::string_view field, const Json& value, std::int64_t now_ms);
// REQUIRES: an array of objects.
std::string ShowRows(const Json& rows, std::int64_t now_ms);
std::string ShowGeneric(const Json& document, std::int64_t now_ms);

// Takes a field out of an object, so that what is left is what nobody knew. Null: it has none.
Json TakeField(Json& object, const std::string& field);
std::string TakeText(Json& object, const std::string& field, std::int64_t now_ms);
// What is left of an answer, below what was shown of it.
std::string ShowRest(const Json& rest, std::int64_t now_ms);
std::string ShowWarnings(const Json& warnings);

}  // namespace starling::nodetool
