#include "server/exposition.h"

#include <fmt/core.h>

#include <cmath>

#include "base/check.h"

namespace starling::server {
namespace {

constexpr unsigned kFirstBit = 6, kLastBit = 23;

std::string Escaped(std::string_view text, bool quoted) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else if (c == '"' && quoted)
      out += "\\\"";
    else
      out += c;
  }
  return out;
}

std::string Joined(Exposition::Labels labels) {
  std::string out;
  for (const auto& [name, value] : labels)
    out += fmt::format("{}{}=\"{}\"", out.empty() ? "" : ",", name, Escaped(value, true));
  return out;
}

// The shortest text that reads back as the same number.
std::string Number(double value) { return fmt::format("{}", value); }

}  // namespace

void Exposition::Family(std::string_view name, Type type, std::string_view help) {
  CHECK(!help.empty());
  CHECK(name.ends_with("_total") == (type == Type::kCounter));
  CHECK(names_.emplace(name).second);
  family_ = name;
  type_ = type;
  constexpr std::string_view kTypes[] = {"counter", "gauge", "histogram"};
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, Escaped(help, false), name,
                       kTypes[static_cast<std::size_t>(type)]);
}

void Exposition::Line(std::string_view suffix, const std::string& labels, double value) {
  text_ += fmt::format("{}{}{}{}{} {}\n", family_, suffix, labels.empty() ? "" : "{", labels,
                       labels.empty() ? "" : "}", Number(value));
}

void Exposition::Sample(double value, Labels labels) {
  CHECK(type_ != Type::kHistogram);
  if (std::isfinite(value)) Line("", Joined(labels), value);
}

void Exposition::Histogram(const base::Histogram& microseconds, Labels labels) {
  CHECK(type_ == Type::kHistogram);
  const std::string joined = Joined(labels);
  const auto with = [&](const std::string& le) {
    return fmt::format("{}{}le=\"{}\"", joined, joined.empty() ? "" : ",", le);
  };
  for (unsigned bit = kFirstBit; bit <= kLastBit; ++bit)
    Line("_bucket", with(Number(static_cast<double>(1U << bit) / 1e6)),
         static_cast<double>(microseconds.CountBelow(bit)));
  const auto count = static_cast<double>(microseconds.count());
  Line("_bucket", with("+Inf"), count);
  Line("_sum", joined, microseconds.mean() * count / 1e6);
  Line("_count", joined, count);
}

void Exposition::Counter(std::string_view name, std::string_view help, double value) {
  Family(name, Type::kCounter, help);
  Sample(value);
}

void Exposition::Gauge(std::string_view name, std::string_view help, double value) {
  Family(name, Type::kGauge, help);
  Sample(value);
}

}  // namespace starling::server
