// tools/stress/workload.h: which operation comes next, on which key, with which value.
//
// YCSB's core workloads a, b, c and f, and mixes of reads and writes. Keys are user0000000123.
//
// Thread:    confined to one thread.
// Read next: tools/stress/generator.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/status.h"

namespace starling::stress {

enum class OpType : std::uint8_t { kRead, kWrite, kDelete, kReadModifyWrite };
inline constexpr std::size_t kOpTypes = 4;
std::string_view NameOf(OpType type);  // "read-modify-write"

struct Mix {
  double reads = 0;                // Share of all operations, 0 to 1; the rest writes,
  bool read_modify_write = false;  // or, with this, reads followed by a write of the same key.
};
// "a", "b", "c", "f", "read", "write" or "mixed:READ%".
base::Result<Mix> ParseWorkload(std::string_view text);

enum class Distribution : std::uint8_t { kUniform, kZipfian, kSequential };
base::Result<Distribution> ParseDistribution(std::string_view text);

// Ranks in [0, items), rank r as often as 1 / (r + 1)^0.99 (Gray et al., "Quickly generating
// billion-record synthetic databases", 1994; YCSB's constant).
class Zipfian {
 public:
  static constexpr double kTheta = 0.99;

  // Costs a power an item, and no more than a million. REQUIRES: items > 0.
  explicit Zipfian(std::uint64_t items);
  std::uint64_t Draw(base::Random& random) const;

 private:
  std::uint64_t items_;
  double zeta_, alpha_, eta_, second_;
};

// Draws records in [0, records).
class KeyChooser {
 public:
  // REQUIRES: records > 0.
  KeyChooser(Distribution distribution, std::uint64_t records);
  std::uint64_t Next(base::Random& random);

 private:
  const Distribution distribution_;
  const std::uint64_t records_;
  const Zipfian zipfian_;
  std::uint64_t next_ = 0;  // Of kSequential.
};

std::string KeyOf(std::uint64_t record);  // "user0000000123"

// A value of `size` bytes that says who wrote it: 16 hex digits of `id` (as many as fit), then
// filler, which does not compress away to nothing and costs no time.
inline constexpr std::size_t kIdBytes = 16;
void WriteValueTo(std::uint64_t id, std::size_t size, std::string& out);
// The id of such a value; 0: it is none.
std::uint64_t IdOf(std::string_view value);

}  // namespace starling::stress
