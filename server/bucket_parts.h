// server/bucket_parts.h: in which parts of a token range two replicas differ.
//
// A bucket that differs may hold far more entries than do. So both sides cut its range into as many
// equal parts (of a whole bucket: by the token's next bits), add up a short hash of what they have
// in each, by one scan, and only the entries of parts that differ are told of one by one.
//
// Thread:    free functions and values.
// Read next: server/entry_page.h, server/repair_pull.h
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/place.h"
#include "base/version.h"
#include "server/entry_page.h"

namespace starling::server {

inline constexpr std::uint32_t kPartsMax = 4096;

// Into how many parts to cut a range of so many entries here; 1: it is not worth while. More
// parts: larger hashes, and fewer equal entries told of beside those that differ.
std::uint32_t PartCountFor(std::size_t entries);

// Adds up what is in each part, 4 bytes a part, salted by both sides of one exchange. What is under
// way is in none.
class PartHasher {
 public:
  // REQUIRES: first <= last, in one bucket, and 1 to kPartsMax parts.
  PartHasher(base::Token first, base::Token last, std::uint32_t parts, std::uint64_t salt,
             const UnderWay& under_way);
  void Add(base::Token token, const base::Version& version);
  std::string Packed() const;

 private:
  const base::Token first_;
  const base::Token last_;
  const std::uint64_t salt_;
  const UnderWay under_way_;
  std::vector<std::uint32_t> sums_;
};

// Of a summary, which is of entries of the range alone.
std::string HashParts(base::Bytes summary, PartHasher hasher);

// Of what is stored in the request's range.
struct PartsRead {
  std::string packed;
  std::uint64_t bytes_read = 0;
  base::Status status;
};
PartsRead ReadParts(storage::Engine& engine, const PageRequest& request, std::uint32_t parts,
                    std::uint64_t salt);

// A bit a part that differs, the lowest first. REQUIRES: both are of as many parts.
std::string DifferingParts(base::Bytes mine, base::Bytes theirs);

// Tokens next to each other, all in parts that differ.
struct TokenRun {
  base::Token first = 0;
  base::Token last = 0;
  bool operator==(const TokenRun&) const = default;
};
std::vector<TokenRun> RunsOf(base::Bytes differing, base::Token first, base::Token last,
                             std::uint32_t parts);

// The records of a summary whose tokens lie in the run.
base::Bytes SummaryOf(base::Bytes summary, const TokenRun& run);

}  // namespace starling::server
