// server/config_units.cc: durations and sizes: a number, and a table of units.
#include "server/config_units.h"

#include <fmt/core.h>

#include <charconv>
#include <limits>
#include <span>

namespace starling::server {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t size;
};

// Ascending, so that the last one that divides is the largest.
constexpr Unit kMilliseconds[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
constexpr Unit kBytes[] = {
    {"B", 1}, {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30}, {"TiB", 1ULL << 40}};

// What a Duration can hold, in milliseconds.
constexpr std::uint64_t kMillisecondsMax =
    static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / 1'000'000);

// A kind of amount, and how to say what it looks like.
struct Kind {
  std::string_view noun;
  std::string_view form;
  std::span<const Unit> units;
  std::string_view unit_of_none;  // When there is only a number; empty: that is no amount.
  std::uint64_t max;
};
constexpr Kind kDuration = {.noun = "duration",
                            .form = "ms, s, m, h or d, as in 300ms or 5s",
                            .units = kMilliseconds,
                            .unit_of_none = "",
                            .max = kMillisecondsMax};
constexpr Kind kSize = {.noun = "size",
                        .form = "B, KiB, MiB, GiB or TiB, as in 256MiB",
                        .units = kBytes,
                        .unit_of_none = "B",
                        .max = std::numeric_limits<std::uint64_t>::max()};

const Unit* Find(std::span<const Unit> units, std::string_view name) {
  for (const Unit& unit : units)
    if (unit.name == name) return &unit;
  return nullptr;
}

base::Result<std::uint64_t> Parse(std::string_view text, const Kind& kind) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  const std::string_view name(rest, static_cast<std::size_t>(end - rest));
  const Unit* const unit = Find(kind.units, name.empty() ? kind.unit_of_none : name);
  if (error == std::errc::invalid_argument || unit == nullptr)
    return base::Fail(base::InvalidArgument(
        fmt::format("'{}' is no {}: a whole number and {}", text, kind.noun, kind.form)));
  const std::uint64_t number_max = kind.max / unit->size;
  if (error == std::errc::result_out_of_range || number > number_max)
    return base::Fail(base::InvalidArgument(
        fmt::format("'{}' is too large, the largest is {}{}", text, number_max, unit->name)));
  return number * unit->size;
}

std::string Print(std::uint64_t value, std::span<const Unit> units) {
  const Unit* best = &units.front();
  for (const Unit& unit : units)
    if (value != 0 && value % unit.size == 0) best = &unit;
  return fmt::format("{}{}", value / best->size, best->name);
}

}  // namespace

base::Result<base::Duration> ParseDuration(std::string_view text) {
  if (text == "0") return base::Duration::zero();
  ASSIGN_OR_RETURN(const std::uint64_t ms, Parse(text, kDuration));
  return base::milliseconds(ms);
}

base::Result<std::uint64_t> ParseSize(std::string_view text) { return Parse(text, kSize); }

std::string FormatDuration(base::Duration duration) {
  return Print(static_cast<std::uint64_t>(base::ToMs(duration)), kMilliseconds);
}

std::string FormatSize(std::uint64_t bytes) { return Print(bytes, kBytes); }

}  // namespace starling::server
