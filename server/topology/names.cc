// server/topology/names.cc: the text forms of a topology: names, and replication as users type it.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "server/topology/topology.h"

namespace starling::topology {
namespace {

using base::InvalidArgument;

bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool IsKeyspaceLetter(char c) { return IsLowerOrDigit(c) || c == '_' || c == '-'; }
bool IsPlaceLetter(char c) { return IsKeyspaceLetter(c) || (c >= 'A' && c <= 'Z') || c == '.'; }
bool IsPrintable(char c) { return c >= ' ' && c <= '~'; }

bool Consists(std::string_view name, std::size_t size_max, bool (*allowed)(char)) {
  return !name.empty() && name.size() <= size_max && std::all_of(name.begin(), name.end(), allowed);
}

// A name as it may stand in a message: bounded, and without what a terminal would obey.
std::string Shown(std::string_view name) {
  std::string shown;
  for (const char c : name.substr(0, kNameMax)) shown.push_back(IsPrintable(c) ? c : '?');
  return shown + (name.size() > kNameMax ? "..." : "");
}

}  // namespace

base::Status CheckKeyspaceName(std::string_view name) {
  if (Consists(name, kKeyspaceNameMax, IsKeyspaceLetter)) return base::Ok();
  return InvalidArgument(fmt::format("'{}' is not a keyspace name: 1 to {} of a-z, 0-9, _ and -",
                                     Shown(name), kKeyspaceNameMax));
}

base::Status CheckPlaceName(std::string_view what, std::string_view name) {
  if (Consists(name, kNameMax, IsPlaceLetter)) return base::Ok();
  return InvalidArgument(fmt::format("'{}' is not a {} name: 1 to {} letters, digits, _, - and .",
                                     Shown(name), what, kNameMax));
}

base::Status CheckClusterName(std::string_view name) {
  if (Consists(name, kNameMax, IsPrintable)) return base::Ok();
  return InvalidArgument(fmt::format("'{}' is not a cluster name: 1 to {} printable characters",
                                     Shown(name), kNameMax));
}

base::Result<Replication> Replication::Parse(std::string_view text) {
  const auto fail = [&](std::string_view why) {
    return base::Fail(InvalidArgument(fmt::format(
        "replication '{}': {}; write simple:3, dc1:3,dc2:2 or everywhere", Shown(text), why)));
  };
  if (text == "everywhere")
    return Replication{.kind = Kind::kEverywhere, .factor = 0, .per_dc = {}};
  Replication parsed{.kind = Kind::kDatacenters, .factor = 0, .per_dc = {}};
  std::string_view rest = text;
  for (bool more = true; more;) {
    const auto comma = rest.find(',');
    const std::string_view part = rest.substr(0, comma);
    more = comma != std::string_view::npos;
    rest.remove_prefix(more ? comma + 1 : rest.size());
    const auto colon = part.find(':');
    if (colon == std::string_view::npos)
      return fail(fmt::format("'{}' lacks a factor", Shown(part)));
    const std::string_view name = part.substr(0, colon), digits = part.substr(colon + 1);
    std::uint32_t factor = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), factor);
    if (error != std::errc{} || end != digits.data() + digits.size() || factor < 1 ||
        factor > kFactorMax)
      return fail(fmt::format("'{}' is not a factor from 1 to {}", Shown(digits), kFactorMax));
    if (part.size() == text.size() && name == "simple")
      return Replication{.kind = Kind::kSimple, .factor = factor, .per_dc = {}};
    if (name == "simple") return fail("'simple' stands alone, not in a list of datacenters");
    if (name == "everywhere")
      return fail("'everywhere' is a way of replication, not a datacenter, and takes no factor");
    if (const base::Status bad = CheckPlaceName("datacenter", name); !bad.ok())
      return fail(bad.message());
    if (!parsed.per_dc.emplace(name, factor).second)
      return fail(fmt::format("'{}' is there twice", Shown(name)));
  }
  return parsed;
}

std::string Replication::ToString() const {
  if (everywhere()) return "everywhere";
  if (kind == Kind::kSimple) return fmt::format("simple:{}", factor);
  std::string text;
  for (const auto& [dc, wanted] : per_dc)
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", dc, wanted);
  return text;
}

}  // namespace starling::topology
