#include "base/json_object.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/base64.h"

namespace starling::base {

using Parsed = nlohmann::json;

struct JsonObject::Value {
  Parsed json;

  // nullptr: not there.
  const Parsed* Find(std::string_view name) const {
    const auto found = json.find(name);
    return found == json.end() ? nullptr : &*found;
  }
};

namespace {

tl::unexpected<Status> IsNo(std::string_view name, std::string_view what) {
  return Fail(InvalidArgument(fmt::format("the field '{}' is no {}", name, what)));
}

}  // namespace

JsonObject::JsonObject(std::unique_ptr<Value> value) : value_(std::move(value)) {}
JsonObject::JsonObject(JsonObject&& other) noexcept = default;
JsonObject& JsonObject::operator=(JsonObject&& other) noexcept = default;
JsonObject::~JsonObject() = default;

Result<JsonObject> JsonObject::Parse(std::string_view text) {
  auto value = std::make_unique<Value>();
  value->json = text.empty() ? Parsed::object() : Parsed::parse(text, nullptr, false);
  if (!value->json.is_object()) return Fail(InvalidArgument("it is not a JSON object"));
  return JsonObject(std::move(value));
}

Result<std::string> JsonObject::Text(std::string_view name) const {
  const Parsed* const field = value_->Find(name);
  if (field == nullptr) return std::string();
  if (!field->is_string()) return IsNo(name, "text");
  return field->get<std::string>();
}

Result<bool> JsonObject::Flag(std::string_view name) const {
  const Parsed* const field = value_->Find(name);
  if (field == nullptr) return false;
  if (!field->is_boolean()) return IsNo(name, "flag, which is true or false");
  return field->get<bool>();
}

Result<std::uint64_t> JsonObject::Whole(std::string_view name) const {
  const Parsed* const field = value_->Find(name);
  if (field == nullptr) return 0;
  if (!field->is_number_unsigned()) return IsNo(name, "whole number");  // get() would cut it off.
  return field->get<std::uint64_t>();
}

Result<std::vector<std::string>> JsonObject::Texts(std::string_view name) const {
  std::vector<std::string> texts;
  const Parsed* const field = value_->Find(name);
  if (field == nullptr) return texts;
  if (!field->is_array()) return IsNo(name, "list");
  for (const Parsed& item : *field) {
    if (!item.is_string()) return IsNo(name, "list of texts");
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

Result<std::string> JsonObject::Bytes(std::string_view name) const {
  const std::string coded_name = fmt::format("{}_base64", name);
  ASSIGN_OR_RETURN(const std::string coded, Text(coded_name));
  if (coded.empty()) return Text(name);
  auto bytes = FromBase64(coded);
  if (!bytes) return Fail(bytes.error().Annotate(coded_name));
  return bytes;
}

}  // namespace starling::base
