#include "server/seed_book.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"

namespace starling::server {

base::Result<SeedBook> SeedBook::Of(const std::vector<std::string>& seeds,
                                    std::uint16_t default_port) {
  SeedBook book;
  for (const std::string& seed : seeds) {
    if (const auto numeric = base::ParseAddress(seed, default_port)) {
      book.seeds_.push_back({{}, numeric->port, numeric->ip});
      continue;
    }
    const auto colon = seed.rfind(':');
    // The port is judged with a numeric address in the name's place.
    ASSIGN_OR_RETURN(
        const base::Address judged,
        base::ParseAddress("0.0.0.0" + (colon == std::string::npos ? "" : seed.substr(colon)),
                           default_port));
    book.seeds_.push_back({seed.substr(0, colon), judged.port, std::nullopt});
    if (book.problem_.empty())
      book.problem_ = fmt::format("seed '{}' has not been resolved yet", seed.substr(0, colon));
  }
  book.Collect();
  return book;
}

std::vector<std::string> SeedBook::names() const {
  std::vector<std::string> names;
  for (const Seed& seed : seeds_)
    if (!seed.name.empty()) names.push_back(seed.name);
  return names;
}

bool SeedBook::Learn(const std::vector<base::Result<std::uint32_t>>& found) {
  std::size_t next = 0;
  problem_.clear();
  for (Seed& seed : seeds_) {
    if (seed.name.empty()) continue;
    CHECK(next < found.size());
    const base::Result<std::uint32_t>& one = found[next++];
    if (one) seed.ip = *one;
    if (!seed.ip && problem_.empty())
      problem_ = fmt::format("seed '{}' cannot be resolved: {}", seed.name, one.error().message());
  }
  CHECK(next == found.size());
  const std::vector<base::Address> before = addresses_;
  Collect();
  return addresses_ != before;
}

void SeedBook::Collect() {
  addresses_.clear();
  for (const Seed& seed : seeds_)
    if (seed.ip) addresses_.push_back({*seed.ip, seed.port});
  std::ranges::sort(addresses_);
  addresses_.erase(std::unique(addresses_.begin(), addresses_.end()), addresses_.end());
}

}  // namespace starling::server
