#include "base/json.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/check.h"

namespace starling::base {

using Library = nlohmann::ordered_json;

struct Json::Value {
  Library json;
};

Json::Json() = default;
Json::Json(std::nullptr_t) {}
Json::Json(std::unique_ptr<Value> value) : value_(std::move(value)) {}
Json::Json(double value) : Json(std::make_unique<Value>(Value{value})) {}
Json::Json(const char* text) : Json(std::string_view(text)) {}
Json::Json(const std::string& text) : Json(std::string_view(text)) {}
Json::Json(std::string_view text) : Json(std::make_unique<Value>(Value{text})) {}
Json::Json(std::initializer_list<Field> fields) : Json(Object()) {
  for (const Field& field : fields) Set(field.name, std::move(field.value));
}

Json Json::OfFlag(bool value) { return Json(std::make_unique<Value>(Value{value})); }
Json Json::OfSigned(std::int64_t value) { return Json(std::make_unique<Value>(Value{value})); }
Json Json::OfUnsigned(std::uint64_t value) { return Json(std::make_unique<Value>(Value{value})); }
Json Json::Array() { return Json(std::make_unique<Value>(Value{Library::array()})); }
Json Json::Object() { return Json(std::make_unique<Value>(Value{Library::object()})); }

Json::Json(const Json& other)
    : value_(other.value_ == nullptr ? nullptr : std::make_unique<Value>(*other.value_)) {}
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(const Json& other) { return *this = Json(other); }
Json& Json::operator=(Json&& other) noexcept = default;
Json::~Json() = default;

Json::Value& Json::Made() {
  if (value_ == nullptr) value_ = std::make_unique<Value>();
  return *value_;
}

void Json::Append(Json item) {
  Library& array = Made().json;
  CHECK(array.is_null() || array.is_array());
  array.push_back(std::move(item.Made().json));
}

void Json::Set(std::string_view name, Json value) {
  Library& object = Made().json;
  CHECK(object.is_null() || object.is_object());
  object[std::string(name)] = std::move(value.Made().json);
}

std::size_t Json::size() const { return value_ == nullptr ? 0 : value_->json.size(); }

std::string Json::Text(Layout layout) const {
  const int indent = layout == Layout::kLine ? -1 : 2;
  return value_ == nullptr
             ? "null"
             : value_->json.dump(indent, ' ', false, Library::error_handler_t::replace);
}

}  // namespace starling::base
