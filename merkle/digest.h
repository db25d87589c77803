// merkle/digest.h: what a set of entries adds up to, whatever the order in which they came.
//
// A digest is { count, sum modulo 2^128 of the entries' hashes }. Adding and removing are O(1) and
// commute, so a leaf needs no rehash, and the digest of any set of buckets is the sum of theirs.
//
// Thread: values.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/status.h"
#include "base/version.h"

namespace starling::merkle {

struct Digest {
  std::uint64_t count = 0;
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  bool operator==(const Digest&) const = default;
  bool empty() const { return count == 0 && low == 0 && high == 0; }
  Digest& operator+=(const Digest& other) {
    count += other.count;
    low += other.low;
    high += other.high + (low < other.low ? 1 : 0);  // The carry.
    return *this;
  }
  Digest& operator-=(const Digest& other) {
    const std::uint64_t borrow = low < other.low ? 1 : 0;
    count -= other.count;
    low -= other.low;
    high -= other.high + borrow;
    return *this;
  }
  friend Digest operator+(Digest a, const Digest& b) { return a += b; }
  friend Digest operator-(Digest a, const Digest& b) { return a -= b; }

  static constexpr std::size_t kSize = 24;
  void StoreTo(char* at) const;  // kSize bytes, little-endian: count, low, high
  static Digest LoadFrom(const char* at);
};

// What of an entry is compared between replicas: all but how it came.
struct EntryFacts {
  base::Version version{};
  std::uint8_t flags = 0;
  std::uint64_t expiry_ms = 0;
  std::uint64_t value_digest = 0;
};

// The digest of one entry: count 1 and XXH3-128 (seeded) of the facts and of the key's own
// XXH3-128. Every replica must use the same seed.
Digest DigestOf(base::Bytes key, const EntryFacts& facts, std::uint64_t seed);

// The same in two parts, for who needs digests of a key's old entry and of its new one.
base::Hash128Value KeyHashOf(base::Bytes key, std::uint64_t seed);
Digest DigestOf(const base::Hash128Value& key_hash, const EntryFacts& facts, std::uint64_t seed);

}  // namespace starling::merkle
