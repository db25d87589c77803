// server/config_units.cc: durations and sizes: a number, and a table of units.
#include "server/config_units.h"

#include <fmt/core.h>

#include <charconv>
#include <limits>
#include <optional>
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

struct Amount {
  std::uint64_t number = 0;
  std::string_view unit;
};

// Cuts "300ms" in two; nullopt when it does not begin with a number that fits.
std::optional<Amount> Cut(std::string_view text) {
  Amount amount;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, amount.number);
  if (error != std::errc{}) return std::nullopt;
  amount.unit = text.substr(static_cast<std::size_t>(rest - text.data()));
  return amount;
}

// number * size of its unit, at most `max`; nullopt when the unit is not in the table.
std::optional<std::uint64_t> Multiply(const Amount& amount, std::span<const Unit> units,
                                      std::uint64_t max) {
  for (const Unit& unit : units) {
    if (unit.name != amount.unit) continue;
    if (amount.number > max / unit.size) return std::nullopt;
    return amount.number * unit.size;
  }
  return std::nullopt;
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
  if (const auto amount = Cut(text)) {
    if (const auto ms = Multiply(*amount, kMilliseconds, kMillisecondsMax))
      return base::milliseconds(*ms);
  }
  return base::Fail(base::InvalidArgument(fmt::format(
      "'{}' is no duration: a whole number and ms, s, m, h or d, as in 300ms or 5s", text)));
}

base::Result<std::uint64_t> ParseSize(std::string_view text) {
  if (auto amount = Cut(text)) {
    if (amount->unit.empty()) amount->unit = "B";
    if (const auto bytes = Multiply(*amount, kBytes, std::numeric_limits<std::uint64_t>::max()))
      return *bytes;
  }
  return base::Fail(base::InvalidArgument(fmt::format(
      "'{}' is no size: a whole number and B, KiB, MiB, GiB or TiB, as in 256MiB", text)));
}

std::string FormatDuration(base::Duration duration) {
  return Print(static_cast<std::uint64_t>(base::ToMs(duration)), kMilliseconds);
}

std::string FormatSize(std::uint64_t bytes) { return Print(bytes, kBytes); }

}  // namespace starling::server
