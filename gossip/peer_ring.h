// gossip/peer_ring.h: whose turn it is: round robin over a shuffled list that takes no memory.
//
// Against drawing at random each time: the longest wait is bounded, and successive targets are
// distinct, which is what makes few transmissions reach all of a small cluster.
// The list is a pseudo-random permutation of the slots, computed instead of stored: 10,000 tables
// in gossip-sim would store 800 MB of lists. It permutes a power of two, and what is no slot (yet)
// is skipped; so a new member has a random place from the start, and the order of others stays.
//
// Thread: values, confined to their owner.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/random.h"
#include "gossip/roster.h"

namespace starling::gossip {

// A bijection of [0, size()), size() being the least power of four that is >= `slots`.
class Permutation {
 public:
  Permutation(std::uint64_t key, std::size_t slots) : key_(key) {
    while ((std::size_t{1} << (2 * half_bits_)) < slots) ++half_bits_;
  }

  std::size_t size() const { return std::size_t{1} << (2 * half_bits_); }

  // A Feistel network: whatever the round function, it can be undone, so it is a bijection.
  std::size_t At(std::size_t place) const {
    const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
    std::uint64_t left = place >> half_bits_;
    std::uint64_t right = place & mask;
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      const std::uint64_t next = left ^ (base::Mix64(key_ ^ (right << 3 | round)) & mask);
      left = right;
      right = next;
    }
    return left << half_bits_ | right;
  }

 private:
  static constexpr std::uint64_t kRounds = 4;
  std::uint64_t key_;
  unsigned half_bits_ = 0;
};

class PeerRing {
 public:
  enum class AtEnd : std::uint8_t {
    kShuffle,    // Nobody can foresee whom this node probes next; a wait is at most 2N-1 turns.
    kKeepOrder,  // Any N turns in a row visit all, across the end too; a wait is N turns.
  };
  explicit PeerRing(AtEnd at_end) : at_end_(at_end) {}

  // The next slot below `slots` that `eligible` accepts; nullopt if none does.
  template <typename Eligible>
  std::optional<Slot> Next(base::Random& random, std::size_t slots, Eligible eligible) {
    if (slots == 0) return std::nullopt;
    if (!key_ || Permutation(*key_, slots).size() != size_) Start(random, slots);
    for (std::size_t tried = 0; tried < 2 * size_; ++tried) {
      if (next_ == size_) {
        if (at_end_ == AtEnd::kShuffle) key_ = random.Next();
        next_ = 0;
      }
      const std::size_t slot = Permutation(*key_, slots).At(next_++);
      if (slot < slots && eligible(static_cast<Slot>(slot))) return static_cast<Slot>(slot);
    }
    return std::nullopt;
  }

 private:
  // The list has grown over the power: a new one, from a random place.
  void Start(base::Random& random, std::size_t slots) {
    key_ = random.Next();
    size_ = Permutation(*key_, slots).size();
    next_ = random.Below(size_);
  }

  AtEnd at_end_;
  std::optional<std::uint64_t> key_;
  std::size_t size_ = 0;
  std::size_t next_ = 0;
};

}  // namespace starling::gossip
