#include "tools/stress/workload.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/check.h"

namespace starling::stress {

using base::Fail;
using base::InvalidArgument;
using base::Random;
using base::Result;

namespace {

// Beyond so many items the rest of the sum is its integral (Euler and Maclaurin), exact to 1e-12:
// two billion powers would take a minute.
constexpr std::uint64_t kSummedMax = 1'000'000;

double Zeta(std::uint64_t items, double theta) {
  const std::uint64_t summed = std::min(items, kSummedMax);
  double sum = 0;
  for (std::uint64_t i = 1; i <= summed; ++i) sum += 1 / std::pow(static_cast<double>(i), theta);
  if (items == summed) return sum;
  const double from = static_cast<double>(summed);
  const double to = static_cast<double>(items);
  return sum + (std::pow(to, 1 - theta) - std::pow(from, 1 - theta)) / (1 - theta) +
         (std::pow(to, -theta) - std::pow(from, -theta)) / 2;
}

const std::string& Filler() {
  static const std::string filler = [] {
    Random random(1);
    std::string bytes(64 * 1024, '\0');
    for (char& c : bytes) c = static_cast<char>('a' + random.Below(26));
    return bytes;
  }();
  return filler;
}

}  // namespace

std::string_view NameOf(OpType type) {
  switch (type) {
    case OpType::kRead: return "read";
    case OpType::kWrite: return "write";
    case OpType::kDelete: return "delete";
    case OpType::kReadModifyWrite: return "read-modify-write";
  }
  return "";
}

Result<Mix> ParseWorkload(std::string_view text) {
  if (text == "a") return Mix{.reads = 0.5};
  if (text == "b") return Mix{.reads = 0.95};
  if (text == "c" || text == "read") return Mix{.reads = 1};
  if (text == "f") return Mix{.reads = 0.5, .read_modify_write = true};
  if (text == "write") return Mix{.reads = 0};
  constexpr std::string_view kMixed = "mixed:";
  unsigned percent = 101;
  if (text.starts_with(kMixed)) {
    std::string_view digits = text.substr(kMixed.size());
    if (digits.ends_with('%')) digits.remove_suffix(1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), percent);
    if (error != std::errc{} || end != digits.data() + digits.size()) percent = 101;
  }
  if (percent <= 100) return Mix{.reads = percent / 100.0};
  return Fail(InvalidArgument(fmt::format(
      "'{}' is no workload: a, b, c, f, write, read and mixed:READ% (mixed:50) are", text)));
}

Result<Distribution> ParseDistribution(std::string_view text) {
  if (text == "uniform") return Distribution::kUniform;
  if (text == "zipfian") return Distribution::kZipfian;
  if (text == "sequential") return Distribution::kSequential;
  return Fail(InvalidArgument(
      fmt::format("'{}' is no distribution: uniform, zipfian and sequential are", text)));
}

Zipfian::Zipfian(std::uint64_t items) : items_(items) {
  CHECK(items > 0);
  const double n = static_cast<double>(items);
  zeta_ = Zeta(items, kTheta);
  alpha_ = 1 / (1 - kTheta);
  second_ = 1 + std::pow(0.5, kTheta);
  eta_ = (1 - std::pow(2 / n, 1 - kTheta)) / (1 - Zeta(2, kTheta) / zeta_);
}

std::uint64_t Zipfian::Draw(Random& random) const {
  const double u = random.Unit();
  const double uz = u * zeta_;
  if (uz < 1 || items_ == 1) return 0;
  if (uz < second_ || items_ == 2) return 1;
  const double rank = static_cast<double>(items_) * std::pow(eta_ * u - eta_ + 1, alpha_);
  return std::min(static_cast<std::uint64_t>(rank), items_ - 1);
}

KeyChooser::KeyChooser(Distribution distribution, std::uint64_t records)
    : distribution_(distribution),
      records_(records),
      zipfian_(distribution == Distribution::kZipfian ? records : 1) {
  CHECK(records > 0);
}

std::uint64_t KeyChooser::Next(Random& random) {
  switch (distribution_) {
    case Distribution::kUniform: return random.Below(records_);
    // Spread, so that the popular records are not neighbours.
    case Distribution::kZipfian: return base::Mix64(zipfian_.Draw(random)) % records_;
    case Distribution::kSequential: return next_++ % records_;
  }
  return 0;
}

std::string KeyOf(std::uint64_t record) { return fmt::format("user{:010}", record); }

void WriteValueTo(std::uint64_t id, std::size_t size, std::string& out) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out.clear();
  for (int shift = 60; shift >= 0; shift -= 4) out += kHex[id >> shift & 15];
  const std::string& filler = Filler();
  while (out.size() < size) {
    const std::size_t from = static_cast<std::size_t>(base::Mix64(id + out.size())) % filler.size();
    out.append(filler, from, size - out.size());
  }
  out.erase(std::min(size, out.size()));
}

std::uint64_t IdOf(std::string_view value) {
  if (value.size() < kIdBytes) return 0;
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + kIdBytes, id, 16);
  return error == std::errc{} && end == value.data() + kIdBytes ? id : 0;
}

}  // namespace starling::stress
