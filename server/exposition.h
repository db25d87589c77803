// server/exposition.h: measurements in Prometheus' text format, version 0.0.4.
//
//   Exposition out;
//   out.Family("starling_gets_total", Exposition::Type::kCounter, "Reads asked for by clients.");
//   out.Sample(12, {{"outcome", "ok"}});
//   Send(out.text());
//
// Thread: a value.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/histogram.h"

namespace starling::server {

class Exposition {
 public:
  enum class Type : std::uint8_t { kCounter, kGauge, kHistogram };
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

  // Begins a family; its samples follow. REQUIRES: each name once; a name of [a-z_:], that ends in
  // _total if it is a counter and else does not; a help text.
  void Family(std::string_view name, Type type, std::string_view help);

  // Of the family begun last. REQUIRES: it is no histogram. A value that is no number is left out.
  void Sample(double value, Labels labels = {});
  // REQUIRES: it is a histogram, and `microseconds` has times in microseconds, rounded down. The
  // buckets are powers of two, from 2^6 microseconds to 2^23, in seconds: exact, since the
  // histogram's own buckets end there too.
  void Histogram(const base::Histogram& microseconds, Labels labels = {});

  // A family of one sample without labels.
  void Counter(std::string_view name, std::string_view help, double value);
  void Gauge(std::string_view name, std::string_view help, double value);

  const std::string& text() const { return text_; }

 private:
  void Line(std::string_view suffix, const std::string& labels, double value);

  std::string text_;
  std::string family_;
  Type type_ = Type::kGauge;
  std::set<std::string, std::less<>> names_;
};

}  // namespace starling::server
