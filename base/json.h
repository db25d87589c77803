// base/json.h: a JSON document, as it is being written.
//
//   Json row = {{"address", "127.0.0.1"}, {"load", {{"bytes", 7}, {"at_ms", nullptr}}}};
//   row.Set("tokens", std::vector<int>{1, 2});
//   row.Text();
//
// For answers to people and scripts. The library that does it is in the .cc alone, since its
// templates take each file that uses them seconds to compile. To read: base/json_object.h, for what
// is small and flat; else the library itself.
//
// Thread:    a value.
// Ownership: keeps copies only.
// Read next: base/json_object.h
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace starling::base {

class Json {
 public:
  struct Field;
  enum class Layout : std::uint8_t { kLine, kIndented };

  // Values convert without a word, so that a document reads as what it prints.
  // NOLINTBEGIN(google-explicit-constructor)
  Json();  // null
  Json(std::nullptr_t);
  Json(std::same_as<bool> auto value) : Json(OfFlag(value)) {}
  Json(std::signed_integral auto value) : Json(OfSigned(value)) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) Json(T value) : Json(OfUnsigned(value)) {}
  Json(double value);  // null if it is no number.
  Json(const char* text);
  Json(const std::string& text);
  Json(std::string_view text);
  // An object, whose fields stay in this order.
  Json(std::initializer_list<Field> fields);
  template <typename T>
  Json(const std::vector<T>& items) : Json(Array()) {
    for (const T& item : items) Append(item);
  }
  template <typename T>
  Json(const std::optional<T>& value) : Json(value ? Json(*value) : Json()) {}
  // NOLINTEND(google-explicit-constructor)

  static Json Array();
  static Json Object();

  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(const Json& other);
  Json& operator=(Json&& other) noexcept;
  ~Json();

  // REQUIRES: an array, or null, which becomes one.
  void Append(Json item);
  // Takes the place of the field's earlier value. REQUIRES: an object, or null, which becomes one.
  void Set(std::string_view name, Json value);

  // How many items or fields; 0 of null, 1 of what is neither array nor object.
  std::size_t size() const;
  // What is not UTF-8 becomes U+FFFD.
  std::string Text(Layout layout = Layout::kLine) const;

 private:
  struct Value;

  explicit Json(std::unique_ptr<Value> value);
  static Json OfFlag(bool value);
  static Json OfSigned(std::int64_t value);
  static Json OfUnsigned(std::uint64_t value);
  Value& Made();

  std::unique_ptr<Value> value_;  // nullptr: null.
};

// `value` is moved out of the list that it stands in.
struct Json::Field {
  std::string_view name;
  mutable Json value;
};

}  // namespace starling::base
