// server/seed_book.h: the seeds of the configuration, and where their names lead now.
//
// A name is looked up again and again, since the machine behind it may change; one that can't be
// looked up keeps the address that it had. Does no look-up itself: that may block.
//
// Thread:    confined to control.
// Read next: server/resolve.h
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/status.h"

namespace starling::server {

class SeedBook {
 public:
  SeedBook() = default;
  // InvalidArgument, naming the seed, where a port is none.
  static base::Result<SeedBook> Of(const std::vector<std::string>& seeds,
                                   std::uint16_t default_port);

  // To be looked up, in the order of the list; empty if all seeds are numbers.
  std::vector<std::string> names() const;
  // What came of each of names(), in that order: an IPv4 address, or why there is none. True if
  // addresses() changed.
  bool Learn(const std::vector<base::Result<std::uint32_t>>& found);

  // Sorted, each once.
  const std::vector<base::Address>& addresses() const { return addresses_; }
  bool complete() const { return problem_.empty(); }  // Each seed has an address.
  // The first seed that never had an address, and why; empty if there is none.
  const std::string& problem() const { return problem_; }

 private:
  struct Seed {
    std::string name;  // Empty: a number.
    std::uint16_t port = 0;
    std::optional<std::uint32_t> ip;
  };
  void Collect();

  std::vector<Seed> seeds_;
  std::vector<base::Address> addresses_;
  std::string problem_;
};

}  // namespace starling::server
