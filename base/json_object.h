// base/json_object.h: a JSON object that somebody sent: each field is of the type asked for, or the
// sender hears of it.
//
// For arguments, which are few and flat.
//
// Thread:    a value; reading it changes nothing.
// Read next: base/json.h
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace starling::base {

class JsonObject {
 public:
  // No text is an object without fields. Fails with InvalidArgument on what is no JSON object.
  static Result<JsonObject> Parse(std::string_view text);

  JsonObject(JsonObject&& other) noexcept;
  JsonObject& operator=(JsonObject&& other) noexcept;
  ~JsonObject();

  // A field that is not there is empty, false or 0. All fail with InvalidArgument, which names the
  // field, if it is of another type.
  Result<std::string> Text(std::string_view name) const;
  Result<bool> Flag(std::string_view name) const;
  Result<std::uint64_t> Whole(std::string_view name) const;
  Result<std::vector<std::string>> Texts(std::string_view name) const;
  // Of NAME_base64; where there is none or it is empty, those of NAME.
  Result<std::string> Bytes(std::string_view name) const;

 private:
  struct Value;

  explicit JsonObject(std::unique_ptr<Value> value);

  std::unique_ptr<Value> value_;
};

}  // namespace starling::base
